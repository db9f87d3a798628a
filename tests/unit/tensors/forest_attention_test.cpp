#include "keel/tensors/forest_attention.h"

#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
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

// A round by ATen's flash attention for the CPU, range by range: a flash kernel that nobody here wrote, whose
// way back is given the merged output and log-sum-exp as CUDA's is.
class CpuFlashKernel : public VarlenKernel {
 public:
  Result forward(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionRound& round,
                 double scale) const override {
    std::vector<Tensor> out, lse;
    for_each_range(round, [&](const auto& queries, const auto& keys) {
      auto [o, l] = at::_scaled_dot_product_flash_attention_for_cpu(queries(q), keys(k), keys(v), 0.0,
                                                                    round.causal, {}, scale);
      out.push_back(o.squeeze(0).transpose(0, 1));
      lse.push_back(l.squeeze(0));
    });
    return {at::cat(out), at::cat(lse, 1)};
  }

  Gradients backward(const Tensor& grad, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                     const Tensor& lse, const AttentionRound& round, double scale) const override {
    std::vector<Tensor> dq, dk, dv;
    const Tensor lse_by_row = lse.t().unsqueeze(-1);
    for_each_range(round, [&](const auto& queries, const auto& keys) {
      auto [gq, gk, gv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
          queries(grad), queries(q), keys(k), keys(v), queries(out), queries(lse_by_row).squeeze(-1), 0.0,
          round.causal, {}, scale);
      dq.push_back(gq.squeeze(0).transpose(0, 1));
      dk.push_back(gk.squeeze(0).transpose(0, 1));
      dv.push_back(gv.squeeze(0).transpose(0, 1));
    });
    return {at::cat(dq), at::cat(dk), at::cat(dv)};
  }

 private:
  // work(queries of x, keys of x), each as (1, heads, rows, d).
  template <class Work>
  static void for_each_range(const AttentionRound& round, const Work& work) {
    for (size_t i = 0; i + 1 < round.query_starts.size(); ++i) {
      const auto rows = [i](const std::vector<int32_t>& starts) {
        return [&starts, i](const Tensor& x) {
          return x.slice(0, starts[i], starts[i + 1]).transpose(0, 1).unsqueeze(0);
        };
      };
      work(rows(round.query_starts), rows(round.key_starts));
    }
  }
};

Tensor in_rounds_by_flash(const Tensor& q, const Tensor& k, const Tensor& v,
                          const std::vector<Segment>& segments, double scale) {
  static const CpuFlashKernel kernel;
  if (!q.is_cpu() || k.size(1) == 0 || q.size(1) % k.size(1) != 0 || q.size(0) != segments.back().end)
    throw std::invalid_argument("not for this kernel");
  return attend_in_rounds(q, k, v, attention_rounds(segments, q.device()), scale, kernel);
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
    const Tensor x = normal_tensor({465, heads, head_size}, 60 + rounded.size()).to(type);
    wide.push_back(x.to(at::kDouble).requires_grad_(true));
    rounded.push_back(x.to(test_device()).requires_grad_(true));
  }
  const double scale = 1 / std::sqrt(static_cast<double>(head_size));
  const Tensor wanted = forest_attention(wide[0], wide[1], wide[2], segments, scale);
  const Tensor weights = normal_tensor(wanted.sizes().vec(), 70).to(type);
  const auto expected = gradients(wanted, weights.to(at::kDouble), wide);
  for (const Attention attention : {&forest_attention, &forest_attention_in_rounds}) {
    const Tensor out = attention(rounded[0], rounded[1], rounded[2], segments, scale);
    EXPECT_EQ(out.scalar_type(), type);
    EXPECT_LT(largest_difference(out, wanted), tolerance);
    const auto got = gradients(out, weights.to(test_device()), rounded);
    for (size_t i = 0; i < 3; ++i) {
      const double size = expected[i].abs().max().item().toDouble();
      EXPECT_LT(largest_difference(got[i], expected[i]), tolerance * size) << "input " << i;
    }
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

const char* const kStatements[] = {"OnePass", "InRounds", "InRoundsByFlash"};
INSTANTIATE_TEST_SUITE_P(Statements, ForestAttention,
                         testing::Values(&forest_attention, &forest_attention_in_rounds, &in_rounds_by_flash),
                         [](const auto& statement) { return kStatements[statement.index]; });

// Every row meets the keys that it sees once each, and no others.
TEST(AttentionRounds, HoldWhatTheTreeMakesVisible) {
  const uint64_t first = 1000 * generator_seed() + 30;
  for (uint64_t seed = first; seed < first + 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::vector<Segment> segments = random_segments(seed, 4, 4);
    const int64_t rows = segments.back().end;
    Tensor met = at::zeros({rows, rows}, at::kLong);
    size_t deepest = 0;
    for (const Segment& s : segments) {
      size_t depth = 0;
      for (int32_t at = s.parent; at >= 0; at = segments[static_cast<size_t>(at)].parent) ++depth;
      deepest = std::max(deepest, depth);
    }
    const auto rounds = attention_rounds(segments, at::kCPU);
    EXPECT_EQ(rounds->size(), deepest + 1);
    for (const AttentionRound& round : *rounds)
      for (size_t i = 0; i + 1 < round.query_starts.size(); ++i)
        for (int64_t a = round.query_starts[i]; a < round.query_starts[i + 1]; ++a)
          for (int64_t b = round.key_starts[i]; b < round.key_starts[i + 1]; ++b)
            if (!round.causal || b <= a)
              met[round.query_rows.defined() ? round.query_rows[a].item().toLong() : a]
                 [round.key_rows.defined() ? round.key_rows[b].item().toLong() : b] += 1;
    EXPECT_TRUE(met.equal(visibility(segments).to(at::kLong)));
  }
}

TEST(AttentionRounds, TellHowLongTheirRangesAre) {
  const auto rounds = attention_rounds({{0, 3, -1}, {3, 5, 0}, {5, 9, 0}, {9, 10, -1}}, at::kCPU);
  ASSERT_EQ(rounds->size(), 2u);
  const AttentionRound &own = rounds->at(0), &prompts = rounds->at(1);
  EXPECT_EQ(own.longest_query, 4);
  EXPECT_EQ(own.longest_key, 4);
  EXPECT_EQ(own.device_query_starts.scalar_type(), at::kInt);
  EXPECT_TRUE(own.device_query_starts.equal(at::tensor({0, 3, 5, 9, 10}, at::kInt)));
  EXPECT_EQ(prompts.longest_query, 6);  // both branches, one range
  EXPECT_EQ(prompts.longest_key, 3);
  EXPECT_TRUE(prompts.device_query_starts.equal(at::tensor({0, 6}, at::kInt)));
  EXPECT_TRUE(prompts.device_key_starts.equal(at::tensor({0, 3}, at::kInt)));
}

}  // namespace
}  // namespace keel
