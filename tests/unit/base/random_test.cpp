#include "keel/base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace keel {
namespace {

TEST(Random, DrawsDependOnEveryPartOfTheKey) {
  const RandomKey base{
      .seed = 7, .stream = Stream::sampling, .step = 1, .prompt = 2, .sample = 3, .position = 4};
  std::set<std::array<uint32_t, 4>> draws = {philox(base)};
  RandomKey changed = base;
  changed.seed = 8;
  draws.insert(philox(changed));
  for (uint32_t RandomKey::*part :
       {&RandomKey::step, &RandomKey::prompt, &RandomKey::sample, &RandomKey::position}) {
    changed = base;
    changed.*part += 1;
    draws.insert(philox(changed));
  }
  changed = base;
  changed.stream = Stream::dropout;
  draws.insert(philox(changed));
  EXPECT_EQ(draws.size(), 7u);
}

TEST(Random, UniformAndNormalHaveTheirMoments) {
  RandomSequence sequence({.seed = 1});
  const int count = 20000;
  double mean = 0, square = 0, normal_mean = 0, normal_square = 0;
  for (int i = 0; i < count; ++i) {
    const double u = sequence.uniform(), n = sequence.normal();
    ASSERT_GT(u, 0);
    ASSERT_LT(u, 1);
    mean += u / count, square += u * u / count, normal_mean += n / count, normal_square += n * n / count;
  }
  EXPECT_NEAR(mean, 0.5, 0.01);
  EXPECT_NEAR(square - mean * mean, 1.0 / 12, 0.005);
  EXPECT_NEAR(normal_mean, 0, 0.03);
  EXPECT_NEAR(normal_square, 1, 0.05);
}

TEST(Random, PermutationVisitsEveryIndexOnceAndDiffersByEpoch) {
  for (const int64_t size : {1, 2, 3, 17, 64, 1000}) {
    const KeyedPermutation first(3, 0, size), second(3, 1, size);
    std::set<int64_t> seen;
    int64_t same = 0;
    for (int64_t i = 0; i < size; ++i) {
      seen.insert(first(i));
      same += first(i) == second(i);
    }
    EXPECT_EQ(static_cast<int64_t>(seen.size()), size);
    EXPECT_EQ(*seen.rbegin(), size - 1);
    if (size == 1000) {
      EXPECT_LT(same, 20);
    }
  }
}

}  // namespace
}  // namespace keel
