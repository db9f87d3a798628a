// Every instruction set's kernels agree with the best one's, which the tests of their callers hold against
// ATen.
#include "keel/tensors/row_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "keel/base/random.h"
#include "keel/tensors/simd.h"

namespace keel {
namespace {

constexpr int64_t kBlock = kAttentionBlock;

float as_float(float x) {
  return x;
}
float as_float(uint16_t x) {
  return bfloat16_to_float(x);
}

template <class T>
std::vector<T> values(int64_t count, uint32_t seed) {
  std::vector<T> made(static_cast<size_t>(count));
  RandomSequence normal({seed});
  for (T& x : made) {
    const auto value = static_cast<float>(normal.normal());
    if constexpr (std::is_same_v<T, float>)
      x = value;
    else
      x = float_to_bfloat16(value);
  }
  return made;
}

// What one level computes from the same inputs, as one list of numbers.
struct Outputs {
  std::vector<float> numbers;
  template <class T>
  void add(const std::vector<T>& from) {
    for (const T x : from) numbers.push_back(as_float(x));
  }
};

void expect_close(const Outputs& got, const Outputs& wanted, double tolerance, const std::string& what) {
  ASSERT_EQ(got.numbers.size(), wanted.numbers.size()) << what;
  for (size_t i = 0; i < got.numbers.size(); ++i) {
    const double size = std::max(1.0, std::abs(static_cast<double>(wanted.numbers[i])));
    ASSERT_LT(std::abs(static_cast<double>(got.numbers[i]) - static_cast<double>(wanted.numbers[i])),
              tolerance * size)
        << what << ", number " << i << " of " << got.numbers.size();
  }
}

template <class T>
Outputs rows_of(const RowKernels& level, int64_t width) {
  const RowKernelsOf<T>& kernels = level.of(T());
  Outputs all;
  const auto weight = values<float>(width, 1), bias = values<float>(width, 2), x = values<float>(width, 3);
  const auto added = values<T>(width, 4), d = values<T>(width, 5);
  for (const bool centered : {false, true}) {
    std::vector<float> sum(static_cast<size_t>(width)), dweight = values<float>(width, 6), dbias = dweight,
                                                        dsum = values<float>(width, 7);
    std::vector<T> normed(static_cast<size_t>(width)), dadded = normed;
    NormRow<T> row{centered, width,        1e-5F,      weight.data(), bias.data(),
                   x.data(), added.data(), sum.data(), normed.data()};
    kernels.norm(row);
    kernels.norm_back({centered, width, weight.data(), sum.data(), d.data(), dsum.data(), dadded.data(),
                       dweight.data(), dbias.data(), row.inverse, row.mean});
    all.add(sum), all.add(normed), all.add(dsum), all.add(dadded), all.add(dweight), all.add(dbias);
    all.add(std::vector<float>{row.inverse, row.mean});
  }
  auto heads = values<T>(4 * width, 8);
  kernels.rotate({heads.data(), 2, 2 * width, weight.data(), bias.data(), -1.0F});
  all.add(heads);
  const auto gate_up = values<T>(2 * width, 9);
  std::vector<T> inner(static_cast<size_t>(width)), dgate_up(static_cast<size_t>(2 * width));
  kernels.gated({width, gate_up.data(), nullptr, inner.data(), nullptr});
  kernels.gated_back({width, gate_up.data(), d.data(), nullptr, dgate_up.data()});
  all.add(inner), all.add(dgate_up);
  std::vector<float> y(static_cast<size_t>(width));
  kernels.add({x.data(), added.data(), y.data(), width});
  all.add(y);
  LogProbRow logp{x.data(), width, width / 2, 1.5F};
  level.logprob(logp);
  std::vector<T> dlogits(static_cast<size_t>(width));
  kernels.logprob_back(
      {x.data(), width, width / 2, 1.5F, logp.lse, logp.entropy, 0.7F, -0.3F, dlogits.data()});
  all.add(dlogits), all.add(std::vector<float>{logp.logp, logp.entropy, logp.lse});
  return all;
}

template <class T>
Outputs blocks_of(const RowKernels& level, bool diagonal) {
  const RowKernelsOf<T>& kernels = level.of(T());
  Outputs all;
  const int64_t rows = 48, keys = 50, width = 20;
  const auto scores = values<float>(kBlock * kBlock, 1), dweights = values<float>(kBlock * kBlock, 2);
  auto highest = values<float>(kBlock, 3), out = values<float>(kBlock * width, 4),
       lse = values<float>(kBlock, 5);
  std::vector<float> sum(kBlock, 2.0F);
  std::vector<T> weights(kBlock * kBlock), dscores(kBlock * kBlock);
  for (const bool first : {true, false})
    kernels.softmax_block({scores.data(), weights.data(), out.data(), highest.data(), sum.data(), rows, keys,
                           width, diagonal, first, 0.5F});
  all.add(weights), all.add(out), all.add(highest), all.add(sum);
  std::vector<T> packed(kBlock * kBlock);
  kernels.gradient_block({scores.data(), dweights.data(), weights.data(), dscores.data(), packed.data(),
                          lse.data(), sum.data(), rows, 40, diagonal, 0.5F});
  all.add(weights), all.add(dscores), all.add(packed);
  const auto x = values<T>(70 * 30, 6);
  std::vector<T> copy(kBlock * width), by_rows = copy, by_columns = copy, transposed = copy, scaled(30);
  kernels.pack_block(
      {x.data(), 30, 37, 19, width, copy.data(), by_rows.data(), by_columns.data(), transposed.data()});
  all.add(copy), all.add(by_rows), all.add(by_columns), all.add(transposed);
  kernels.scale({scores.data(), 0.3F, scaled.data(), 30});
  all.add(scaled), all.add(std::vector<float>{kernels.dot(x.data(), x.data() + 30, 30)});
  return all;
}

TEST(RowKernels, EveryLevelAgreesWithTheBest) {
  const auto levels = row_kernel_levels();
  EXPECT_STREQ(levels.back()->level, "portable");
  for (const RowKernels* level : levels) {
    for (const int64_t width : {1, 7, 48, 100, 2050}) {
      const std::string what = std::string(level->level) + ", width " + std::to_string(width);
      expect_close(rows_of<float>(*level, width), rows_of<float>(*levels.front(), width), 2e-5, what);
      expect_close(rows_of<uint16_t>(*level, width), rows_of<uint16_t>(*levels.front(), width), 2e-2, what);
    }
    for (const bool diagonal : {false, true}) {
      expect_close(blocks_of<float>(*level, diagonal), blocks_of<float>(*levels.front(), diagonal), 2e-5,
                   level->level);
      expect_close(blocks_of<uint16_t>(*level, diagonal), blocks_of<uint16_t>(*levels.front(), diagonal),
                   2e-2, level->level);
    }
  }
}

TEST(RowKernels, MaskedWeightsAreZero) {
  for (const RowKernels* level : row_kernel_levels()) {
    std::vector<float> scores(kBlock * kBlock, -100.0F), out(kBlock), highest(kBlock), sum(kBlock);
    std::vector<float> weights(kBlock * kBlock, 9.0F);
    level->float32.softmax_block({scores.data(), weights.data(), out.data(), highest.data(), sum.data(),
                                  kBlock, 50, 1, true, true, 1.0F});
    for (int64_t r = 0; r < kBlock; ++r)
      for (int64_t j = 0; j < kBlock; ++j)
        EXPECT_FLOAT_EQ(weights[static_cast<size_t>(r * kBlock + j)],
                        j <= r && j < 50
                            ? sum[static_cast<size_t>(r)] / static_cast<float>(std::min<int64_t>(r + 1, 50))
                            : 0.0F)
            << level->level;
  }
}

// Loshchilov and Hutter 2019, algorithm 2, in float64.
TEST(RowKernels, AdamWEqualsItsStatement) {
  const int64_t count = 133;
  for (const RowKernels* level : row_kernel_levels()) {
    auto value = values<float>(count, 1), mean = values<float>(count, 2), square = values<float>(count, 3);
    const auto grad = values<float>(count, 4);
    for (float& x : square) x *= x;
    const auto before = value, mean_before = mean, square_before = square;
    const double rate = 0.01, decay = 0.1, beta1 = 0.9, beta2 = 0.99, epsilon = 1e-8, clip = 0.5;
    const int step = 3;
    level->adamw({value.data(), mean.data(), square.data(), grad.data(), count, static_cast<float>(clip),
                  static_cast<float>(beta1), static_cast<float>(beta2), static_cast<float>(1 - rate * decay),
                  static_cast<float>(rate / (1 - std::pow(beta1, step))),
                  static_cast<float>(std::sqrt(1 - std::pow(beta2, step))), static_cast<float>(epsilon)});
    double squares = 0;
    for (size_t i = 0; i < value.size(); ++i) {
      const double g = clip * static_cast<double>(grad[i]), old = static_cast<double>(before[i]);
      const double m = beta1 * static_cast<double>(mean_before[i]) + (1 - beta1) * g;
      const double v = beta2 * static_cast<double>(square_before[i]) + (1 - beta2) * g * g;
      const double wanted =
          old - rate * decay * old -
          rate * (m / (1 - std::pow(beta1, step))) / (std::sqrt(v / (1 - std::pow(beta2, step))) + epsilon);
      EXPECT_NEAR(static_cast<double>(value[i]), wanted, 2e-6) << level->level;
      EXPECT_NEAR(static_cast<double>(mean[i]), m, 1e-6) << level->level;
      EXPECT_NEAR(static_cast<double>(square[i]), v, 1e-6) << level->level;
      squares += static_cast<double>(grad[i]) * static_cast<double>(grad[i]);
    }
    EXPECT_NEAR(level->squares(grad.data(), count), squares, 1e-5 * squares) << level->level;
  }
}

}  // namespace
}  // namespace keel
