#include "keel/statistics/next_task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iostream>

#include "keel/base/error.h"
#include "keel/statistics/bradley_terry.h"
#include "statistics/battles.h"

namespace keel {
namespace {

// Two contestants with n battles at even strength: information 1/9 + n/4 each, -n/4 between them.
TEST(NextTask, ValueIsClosenessTimesTheVarianceOfTheDifference) {
  std::vector<Battle> battles;
  for (int i = 0; i < 8; ++i) battles.push_back({.first = 1, .second = 2, .outcome = i % 2 == 0 ? 1.0 : 0.0});
  const std::vector<int64_t> names = {3};
  const ComparisonValue value(battles, names);
  const double a = 1.0 / 9 + 8.0 / 4, b = 8.0 / 4, variance = 2 / (a + b);  // of s1 - s2
  EXPECT_NEAR(value(1, 2), 0.25 * variance, 1e-9);
  EXPECT_GT(value(1, 3), value(1, 2));  // nothing is known of 3
  EXPECT_NEAR(value(1, 1), 0, 1e-12);
}

// 19 to 1: strengths ±s under the prior solve 19 - 20 sigmoid(2s) = s / 9.
TEST(NextTask, ClosenessIsOfTheFittedStrengths) {
  std::vector<Battle> battles;
  for (int i = 0; i < 20; ++i) battles.push_back({.first = 3, .second = 4, .outcome = i < 19 ? 1.0 : 0.0});
  double low = 0, high = 10;
  for (int i = 0; i < 100; ++i) {
    const double s = (low + high) / 2;
    (19 - 20 / (1 + std::exp(-2 * s)) > s / 9 ? low : high) = s;
  }
  const double p = 1 / (1 + std::exp(-2 * low)), closeness = p * (1 - p);
  EXPECT_NEAR(ComparisonValue(battles, {})(3, 4), closeness * 2 / (1.0 / 9 + 40 * closeness), 1e-9);
}

TEST(NextTask, MembersThatDisagreeAreAskedAbout) {
  // the second member's scale is larger than the first's, and it agrees on the first task alone
  const auto priorities = disagreement_priorities({{{1, 0}, {10, 0}}, {{1, 0}, {0, 1}}, {{0, 0}, {5, 5}}});
  EXPECT_LT(priorities[0], priorities[1]);
  EXPECT_NEAR(priorities[2], 0, 1e-12);
  EXPECT_THROW(disagreement_priorities({{{1}, {2}}, {{1}}}), Error);
}

TEST(NextTask, DiverseStartsFarFromWhatWasAsked) {
  const std::vector<std::string> texts = {"how do I bake bread at home", "how do I bake bread at night",
                                          "prove that primes never end", "what is the capital of France"};
  const auto priorities = diverse_priorities(texts, {"how do I bake bread"}, 1);
  EXPECT_GT(std::min(priorities[2], priorities[3]), std::max(priorities[0], priorities[1]));
  const auto bounded = diverse_priorities(texts, {}, 1, 2);
  EXPECT_EQ(std::count_if(bounded.begin(), bounded.end(), [](double p) { return p >= 1; }), 2);
}

TEST(NextTask, RandomIsTheSeedsAlone) {
  EXPECT_EQ(random_priorities(5, 1), random_priorities(5, 1));
  EXPECT_NE(random_priorities(5, 1), random_priorities(5, 2));
}

// Twelve models; rounds of ten comparisons, chosen by a rule; how often two models are in the right order.
using Rule =
    std::function<double(const std::vector<Battle>&, const ComparisonValue&, int64_t, int64_t, double)>;

constexpr int64_t kModels = 12, kRounds = 30, kRound = 10, kSeeds = 40;

std::vector<double> accuracies(const Rule& rule) {
  std::vector<double> right(kRounds);
  std::vector<int64_t> names;
  for (int64_t i = 0; i < kModels; ++i) names.push_back(i);
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    RandomSequence draws({.seed = seed, .stream = Stream::annotators, .step = 77});
    std::vector<double> truth;
    for (int64_t i = 0; i < kModels; ++i) truth.push_back(draws.normal());
    std::vector<Battle> battles;
    for (int64_t round = 0; round < kRounds; ++round) {
      const ComparisonValue value(battles, names);
      std::vector<std::tuple<double, int64_t, int64_t>> pairs;
      for (int64_t i = 0; i < kModels; ++i)
        for (int64_t j = i + 1; j < kModels; ++j)
          pairs.emplace_back(-rule(battles, value, i, j, draws.uniform()), i, j);
      std::sort(pairs.begin(), pairs.end());
      for (int64_t k = 0; k < kRound; ++k) {
        const auto& [priority, i, j] = pairs[static_cast<size_t>(k)];
        const double lead = truth[static_cast<size_t>(i)] - truth[static_cast<size_t>(j)];
        battles.push_back({.first = i, .second = j, .outcome = battle_outcome(lead, draws)});
      }
      const auto fit = bradley_terry(battles, {.prior_deviation = 3});
      std::vector<double> strengths(kModels);
      for (size_t n = 0; n < fit.names.size(); ++n)
        strengths[static_cast<size_t>(fit.names[n])] = fit.strengths[n];
      double ordered = 0;
      for (size_t i = 0; i < kModels; ++i)
        for (size_t j = i + 1; j < kModels; ++j)
          ordered += (strengths[i] - strengths[j]) * (truth[i] - truth[j]) > 0;
      right[static_cast<size_t>(round)] += ordered / (kModels * (kModels - 1) / 2) / kSeeds;
    }
  }
  return right;
}

// Labels until two models are in the right order so often; all of them when that is not reached.
int64_t labels_until(const std::vector<double>& right, double accuracy) {
  for (size_t round = 0; round < right.size(); ++round)
    if (right[round] >= accuracy) return static_cast<int64_t>(round + 1) * kRound;
  return kRounds * kRound;
}

TEST(NextTask, UncertainNeedsNoMoreLabelsThanRandom) {
  const auto random =
      accuracies([](const auto&, const auto&, int64_t, int64_t, double draw) { return draw; });
  const auto uncertain = accuracies([](const auto&, const ComparisonValue& value, int64_t i, int64_t j,
                                       double draw) { return value(i, j) * (1 + 1e-6 * draw); });
  for (const double accuracy : {0.8, 0.84, 0.87, 0.89})
    std::cout << "right order of " << accuracy << ": random " << labels_until(random, accuracy)
              << " labels, uncertain " << labels_until(uncertain, accuracy) << "\n";
  EXPECT_LE(labels_until(uncertain, 0.84), labels_until(random, 0.84));
}

}  // namespace
}  // namespace keel
