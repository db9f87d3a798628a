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
  for (const auto activation :
       {Activation::relu, Activation::gelu, Activation::gelu_tanh, Activation::silu}) {
    kernels.activate({activation, gate_up.data(), gate_up.data() + width, width, inner.data()});
    all.add(inner);
  }
  kernels.gated_back({width, gate_up.data(), d.data(), dgate_up.data()});
  all.add(dgate_up);
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

// Long sums, an odd number of elements, and rows from both ways of packing.
template <class T>
Outputs panel_products(const RowKernels& level) {
  const int64_t rows = 11, inner = 2101, words = (inner + kWord<T> - 1) / kWord<T>, width = words * kWord<T>;
  const PanelKernels<T>& kernels = level.panels(T());
  auto a = values<T>(rows * width, 1), panel = std::vector<T>(static_cast<size_t>(width * kPanel));
  for (int64_t r = 0; r < rows; ++r) std::fill_n(a.begin() + r * width + inner, width - inner, T(0));
  const auto weight = values<float>(kPanel * inner, 2), columns = values<float>(inner * kPanel, 3),
             bias = values<float>(kPanel, 4);
  std::vector<const float*> from(kPanel);
  for (int64_t j = 0; j < kPanel - 3; ++j) from[static_cast<size_t>(j)] = weight.data() + j * inner;
  Outputs outputs;
  for (const bool by_rows : {true, false}) {
    std::fill(panel.begin(), panel.end(), T(7));
    if (by_rows)
      kernels.pack(PackRows<T, float>{from.data(), inner, words, panel.data()});
    else
      kernels.pack(PackColumns<T, float>{columns.data(), kPanel, inner, kPanel - 5, panel.data()});
    outputs.add(panel);
    std::vector<float> sums(static_cast<size_t>(rows * kPanel), 0.5F);
    std::vector<T> out(sums.size());
    PanelProduct<T> work{
        .a = a.data(), .row_stride = width, .rows = rows, .words = words, .panel = panel.data()};
    work.sums = sums.data();
    work.add = true;
    kernels.product(work);
    outputs.add(sums);
    work.add = false;
    work.out = out.data();
    work.out_stride = kPanel;
    work.bias = bias.data();
    kernels.product(work);
    if (kWord<T> == 1) outputs.add(out);  // in bfloat16 a last digit may round either way: sums say it all
  }
  return outputs;
}

TEST(RowKernels, PanelProductsOfEveryLevelAgree) {
  const auto levels = row_kernel_levels();
  for (const RowKernels* level : levels) {
    expect_close(panel_products<float>(*level), panel_products<float>(*levels.front()), 1e-4, level->level);
    expect_close(panel_products<uint16_t>(*level), panel_products<uint16_t>(*levels.front()), 1e-4,
                 level->level);
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
    level->float32.adamw(
        {value.data(), mean.data(), square.data(), grad.data(), count, static_cast<float>(clip),
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

// Many elements with moments in bfloat16, and steps of one level over them.
struct HalfMoments {
  static constexpr double kBeta1 = 0.9, kBeta2 = 0.999;
  std::vector<float> value, grad;
  std::vector<uint16_t> mean, square;

  explicit HalfMoments(int64_t count)
      : value(values<float>(count, 1)),
        grad(values<float>(count, 4)),
        mean(values<uint16_t>(count, 2)),
        square(values<uint16_t>(count, 3)) {
    for (uint16_t& x : square) x &= 0x7FFF;
  }
  HalfMoments(int64_t count, float mean_of_all, float square_of_all, float grad_of_all)
      : value(static_cast<size_t>(count)),
        grad(value.size(), grad_of_all),
        mean(value.size(), float_to_bfloat16(mean_of_all)),
        square(value.size(), float_to_bfloat16(square_of_all)) {}

  void step(const RowKernels& level, uint32_t draw, int64_t begin, int64_t end) {
    AdamWRange<uint16_t> a;
    a.value = value.data() + begin, a.grad = grad.data() + begin;
    a.mean = mean.data() + begin, a.square = square.data() + begin;
    a.count = end - begin, a.clip = 0.5F, a.keep = 0.999F, a.step_size = 0.1F, a.root_correction = 0.05F;
    a.beta1 = static_cast<float>(kBeta1), a.beta2 = static_cast<float>(kBeta2), a.epsilon = 1e-8F;
    a.first = static_cast<uint32_t>(begin);
    const auto keys = philox({draw, Stream::moments});
    a.keys[0] = keys[0], a.keys[1] = keys[1];
    level.bfloat16.adamw(a);
  }
  void step(const RowKernels& level, uint32_t draw) { step(level, draw, 0, std::ssize(value)); }
};

TEST(RowKernels, HalfMomentsGiveEveryLevelTheSameBits) {
  const int64_t count = 3001;
  for (const float scale : {1.0F, 1e-18F}) {  // squares of the second lie below the normal numbers
    HalfMoments best(count);
    for (float& g : best.grad) g *= scale;
    if (scale < 1)
      for (size_t i = 0; i < best.square.size(); ++i) best.mean[i] = best.square[i] = 0;
    const HalfMoments start = best;
    for (uint32_t step = 0; step < 3; ++step) best.step(*row_kernel_levels().front(), step);
    EXPECT_NE(best.square, start.square);
    for (const RowKernels* level : row_kernel_levels()) {
      HalfMoments parts = start;
      for (uint32_t step = 0; step < 3; ++step)
        for (const auto& [begin, end] : {std::pair{0, 1}, {1, 778}, {778, 2048}, {2048, 3001}})
          parts.step(*level, step, begin, end);
      EXPECT_EQ(parts.value, best.value) << level->level;
      EXPECT_EQ(parts.mean, best.mean) << level->level;
      EXPECT_EQ(parts.square, best.square) << level->level;
    }
  }
}

TEST(RowKernels, HalfMomentsAreNeighboursOfTheExactOnes) {
  for (const RowKernels* level : row_kernel_levels()) {
    HalfMoments a(999);
    const HalfMoments before = a;
    a.step(*level, 1);
    for (size_t i = 0; i < a.value.size(); ++i) {
      const double g = 0.5 * static_cast<double>(a.grad[i]);
      const double m = 0.9 * static_cast<double>(as_float(before.mean[i])) + 0.1 * g;
      const double v = 0.999 * static_cast<double>(as_float(before.square[i])) + 0.001 * g * g;
      EXPECT_NEAR(static_cast<double>(as_float(a.mean[i])), m, std::abs(m) / 128 + 1e-7) << level->level;
      EXPECT_NEAR(static_cast<double>(as_float(a.square[i])), v, v / 128 + 1e-7) << level->level;
      const double wanted =
          0.999 * static_cast<double>(before.value[i]) - 0.1 * m / (std::sqrt(v) / 0.05 + 1e-8);
      EXPECT_NEAR(static_cast<double>(a.value[i]), wanted, 2e-6) << level->level;  // of the exact moments
    }
  }
}

// Rounded up or down, as a number around zero: x − E x in units of its deviation.
double standardized(uint16_t rounded, double exact) {
  const double x = static_cast<double>(as_float(rounded)), ulp = std::ldexp(1, std::ilogb(exact) - 7);
  const double down = std::floor(exact / ulp) * ulp, up_share = (exact - down) / ulp;
  return (x - exact) / (ulp * std::sqrt(up_share * (1 - up_share)));
}

// The mean of many roundings is the number, within five standard errors; no rounding tells anything of the
// other moment's, of the next element's, or of the next step's.
TEST(RowKernels, RoundingHasNoBias) {
  constexpr int64_t kElements = 1 << 20;
  const RowKernels& level = row_kernels();
  const double most = 5 / std::sqrt(static_cast<double>(kElements));
  for (const float grad : {0.3F, 2.5F, 5.0F, 7.7F}) {
    const double g = 0.5 * static_cast<double>(grad), m = 0.9 * 1.0 + 0.1 * g, v = 0.999 + 0.001 * g * g;
    HalfMoments first(kElements, 1, 1, grad), next = first;
    first.step(level, 7);
    next.step(level, 8);
    double mean = 0, square = 0, both = 0, neighbours = 0, steps = 0, far = 0;
    for (size_t i = 0; i < first.mean.size(); ++i) {
      const double a = standardized(first.mean[i], m), b = standardized(first.square[i], v);
      mean += a, square += b, both += a * b, steps += a * standardized(next.mean[i], m);
      if (i > 0) neighbours += a * standardized(first.mean[i - 1], m);
      if (i >= 4096) far += b * standardized(first.square[i - 4096], v);
    }
    for (const double sum : {mean, square, both, neighbours, steps, far})
      EXPECT_LT(std::abs(sum) / static_cast<double>(kElements), most) << grad;
  }
}

// A second moment of 1 on its way to 2, and to 0: (1 − β2) g² is a quarter of an ulp and is lost to the
// nearest.
TEST(RowKernels, HalfMomentsDoNotStandStill) {
  for (const auto& [grad, goal] : {std::pair{std::sqrt(8.0F), 2.0}, std::pair{0.0F, 0.0}}) {
    HalfMoments a(4096, 0, 1, grad);
    uint16_t to_nearest = float_to_bfloat16(1);
    for (uint32_t step = 0; step < 1500; ++step) {
      a.step(row_kernels(), step);
      to_nearest = float_to_bfloat16(0.999F * as_float(to_nearest) + 0.001F * static_cast<float>(goal));
    }
    double mean = 0;
    for (const uint16_t x : a.square) mean += static_cast<double>(as_float(x)) / 4096;
    const double exact = goal + (1 - goal) * std::pow(0.999, 1500);
    EXPECT_NEAR(mean, exact, 0.004);  // an element's deviation is 6 %
    EXPECT_EQ(as_float(to_nearest), 1.0F);
    EXPECT_GT(std::abs(exact - 1), 0.7);
  }
}

}  // namespace
}  // namespace keel
