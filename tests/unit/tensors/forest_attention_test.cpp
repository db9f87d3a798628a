#include "keel/tensors/forest_attention.h"

#include <gtest/gtest.h>

#include "tensors/dense_reference.h"

namespace keel {
namespace {

using namespace testing_reference;
using Attention = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const std::vector<Segment>&,
                             double);

struct Inputs {
  std::vector<Segment> segments;
  std::vector<Tensor> qkv;
};

Inputs random_inputs(uint64_t seed, at::ScalarType type = at::kDouble) {
  Inputs inputs{random_segments(seed), {}};
  const int64_t rows = inputs.segments.back().end;
  for (const int64_t heads : {4, 2, 2})
    inputs.qkv.push_back(normal_tensor({rows, heads, 3}, seed * 7 + inputs.qkv.size(), type));
  return inputs;
}

class ForestAttention : public testing::TestWithParam<Attention> {};

TEST_P(ForestAttention, EqualsDenseAttentionForwardAndBackward) {
  const uint64_t first = 1000 * generator_seed();
  for (uint64_t seed = first; seed < first + 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Inputs in = random_inputs(seed);
    for (Tensor& x : in.qkv) x.requires_grad_();
    const Tensor out = GetParam()(in.qkv[0], in.qkv[1], in.qkv[2], in.segments, 0.6);
    const Tensor expected = dense_attention(in.qkv[0], in.qkv[1], in.qkv[2], in.segments, 0.6);
    EXPECT_LT(largest_difference(out, expected), 1e-12);
    const Tensor weights = normal_tensor(out.sizes().vec(), seed + 50);
    const auto got = gradients(out, weights, in.qkv), wanted = gradients(expected, weights, in.qkv);
    for (size_t i = 0; i < 3; ++i) EXPECT_LT(largest_difference(got[i], wanted[i]), 1e-12) << "input " << i;
  }
}

TEST_P(ForestAttention, GradientsEqualCentralDifferences) {
  const uint64_t first = 1000 * generator_seed() + 10;
  for (uint64_t seed = first; seed < first + 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Inputs in = random_inputs(seed);
    const auto f = [&](const std::vector<Tensor>& x) {
      return GetParam()(x[0], x[1], x[2], in.segments, 0.6);
    };
    EXPECT_LT(gradient_error(f, in.qkv, seed), 1e-7);
  }
}

TEST_P(ForestAttention, Float32IsFloat64ToRounding) {
  Inputs in = random_inputs(21), single = random_inputs(21, at::kFloat);
  const Tensor wide = GetParam()(in.qkv[0], in.qkv[1], in.qkv[2], in.segments, 0.6);
  const Tensor narrow = GetParam()(single.qkv[0], single.qkv[1], single.qkv[2], in.segments, 0.6);
  EXPECT_EQ(narrow.scalar_type(), at::kFloat);
  EXPECT_LT(largest_difference(wide, narrow), 1e-5);
}

// Trees whose segments span several blocks of 64 rows, in the formats that products run in.
class ForestAttentionBlocks : public testing::TestWithParam<std::tuple<at::ScalarType, int64_t, double>> {};

TEST_P(ForestAttentionBlocks, EqualFloat64ForwardAndBackward) {
  const auto [type, head_size, tolerance] = GetParam();
  const std::vector<Segment> segments = {{0, 130, -1},  {130, 193, 0},  {193, 258, 0}, {258, 259, 2},
                                         {259, 400, 0}, {400, 464, -1}, {464, 465, -1}};
  std::vector<Tensor> rounded, wide;
  for (const int64_t heads : {4, 2, 2}) {
    rounded.push_back(
        normal_tensor({465, heads, head_size}, 60 + rounded.size()).to(type).requires_grad_(true));
    wide.push_back(rounded.back().detach().to(at::kDouble).requires_grad_(true));
  }
  const double scale = 1 / std::sqrt(static_cast<double>(head_size));
  const Tensor out = forest_attention(rounded[0], rounded[1], rounded[2], segments, scale);
  const Tensor wanted = forest_attention(wide[0], wide[1], wide[2], segments, scale);
  EXPECT_EQ(out.scalar_type(), type);
  EXPECT_LT(largest_difference(out.to(at::kDouble), wanted), tolerance);
  const Tensor weights = normal_tensor(out.sizes().vec(), 70).to(type);
  const auto got = gradients(out, weights, rounded),
             expected = gradients(wanted, weights.to(at::kDouble), wide);
  for (size_t i = 0; i < 3; ++i) {
    const double size = expected[i].abs().max().item().toDouble();
    EXPECT_LT(largest_difference(got[i].to(at::kDouble), expected[i]), tolerance * size) << "input " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, ForestAttentionBlocks,
                         testing::Values(std::tuple{at::kFloat, 64, 1e-5}, std::tuple{at::kFloat, 7, 1e-5},
                                         std::tuple{at::kBFloat16, 64, 2e-2},
                                         std::tuple{at::kBFloat16, 7, 2e-2}));

// A shared prompt and a repeated prompt are the same function, gradients included.
TEST_P(ForestAttention, SharedPrefixEqualsRepeatedPrefix) {
  const std::vector<Segment> shared = {{0, 4, -1}, {4, 7, 0}, {7, 9, 0}};
  const std::vector<Segment> repeated = {{0, 7, -1}, {7, 13, -1}};
  const auto repeat = [](const Tensor& x) {
    return at::cat({x.slice(0, 0, 7), x.slice(0, 0, 4), x.slice(0, 7, 9)});
  };
  Inputs in;
  for (const int64_t heads : {4, 2, 2})
    in.qkv.push_back(normal_tensor({9, heads, 3}, 31 + in.qkv.size()).requires_grad_(true));
  const Tensor out = repeat(GetParam()(in.qkv[0], in.qkv[1], in.qkv[2], shared, 1.0));
  const Tensor expected = GetParam()(repeat(in.qkv[0]), repeat(in.qkv[1]), repeat(in.qkv[2]), repeated, 1.0);
  EXPECT_LT(largest_difference(out, expected), 1e-13);
  const Tensor weights = normal_tensor(out.sizes().vec(), 41);
  const auto got = gradients(out, weights, in.qkv), wanted = gradients(expected, weights, in.qkv);
  for (size_t i = 0; i < 3; ++i) EXPECT_LT(largest_difference(got[i], wanted[i]), 1e-12) << "input " << i;
}

TEST_P(ForestAttention, RefusesShapesThatDoNotFit) {
  const std::vector<Segment> segments = {{0, 4, -1}};
  const Tensor x = at::zeros({4, 3, 2}), other = at::zeros({4, 2, 2});
  EXPECT_THROW(GetParam()(x, other, other, segments, 1.0), std::invalid_argument);
  EXPECT_THROW(GetParam()(x.slice(0, 0, 3), x, x, segments, 1.0), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Statements, ForestAttention,
                         testing::Values(&forest_attention, &forest_attention_by_pieces),
                         [](const auto& statement) { return statement.index == 0 ? "OnePass" : "ByPieces"; });

}  // namespace
}  // namespace keel
