#include "keel/tensors/linear_logprob.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tensors/dense_reference.h"

namespace keel {
namespace {

using namespace testing_reference;

const Tensor kTokens = at::tensor({3, 0, 6, 6, 2}, at::kLong);

LogProbs plain(const Tensor& hidden, const Tensor& weight, double temperature) {
  const Tensor log_p = (hidden.matmul(weight.t()) / temperature).log_softmax(-1);
  return {log_p.gather(1, kTokens.unsqueeze(-1)).squeeze(-1), -(log_p.exp() * log_p).sum(-1)};
}

TEST(LinearLogProb, EqualsThePlainStatementWithGradientsInChunks) {
  for (const double temperature : {1.0, 0.7}) {
    std::vector<Tensor> x = {normal_tensor({5, 4}, 1).requires_grad_(true),
                             normal_tensor({7, 4}, 2).requires_grad_(true)};
    const LogProbs got =
                       linear_logprob(x[0], x[1], kTokens, {.temperature = temperature, .chunk_elements = 1}),
                   wanted = plain(x[0], x[1], temperature);
    EXPECT_LT(largest_difference(got.logp, wanted.logp), 1e-13);
    EXPECT_LT(largest_difference(got.entropy, wanted.entropy), 1e-13);
    const Tensor a = normal_tensor({5}, 3), b = normal_tensor({5}, 4);
    const auto grad = gradients(got.logp * a + got.entropy * b, at::ones({5}, at::kDouble), x);
    const auto expected = gradients(wanted.logp * a + wanted.entropy * b, at::ones({5}, at::kDouble), x);
    for (size_t i = 0; i < 2; ++i)
      EXPECT_LT(largest_difference(grad[i], expected[i]), 1e-12) << "input " << i;
  }
}

TEST(LinearLogProb, ChunksOfSeveralRowsAgreeWithOneChunk) {
  const Tensor hidden = normal_tensor({100, 4}, 5), weight = normal_tensor({9, 4}, 6);
  const Tensor tokens = at::arange(100, at::kLong).remainder(9);
  const LogProbs one = linear_logprob(hidden, weight, tokens),
                 many = linear_logprob(hidden, weight, tokens, {.chunk_elements = 9 * 32});
  EXPECT_LT(largest_difference(one.logp, many.logp), 1e-13);
  EXPECT_LT(largest_difference(one.entropy, many.entropy), 1e-13);
}

TEST(LinearLogProb, GradientsEqualCentralDifferences) {
  const auto logp = [](const std::vector<Tensor>& x) {
    return linear_logprob(x[0], x[1], kTokens, {.temperature = 0.7}).logp;
  };
  const auto entropy = [](const std::vector<Tensor>& x) {
    return linear_logprob(x[0], x[1], kTokens, {.temperature = 0.7}).entropy;
  };
  const uint64_t seed = 1000 * generator_seed();
  const std::vector<Tensor> inputs = {normal_tensor({5, 4}, seed), normal_tensor({7, 4}, seed + 1)};
  EXPECT_LT(gradient_error(logp, inputs, seed + 2), 1e-7);
  EXPECT_LT(gradient_error(entropy, inputs, seed + 3), 1e-7);
}

// The promise of the fused operation: at a vocabulary of 128k, forward and backward stay far below one
// [tokens, vocabulary] tensor. Peak resident memory only grows, so the growth is an upper bound.
TEST(LinearLogProb, PeakMemoryStaysUnderAnEighthOfTheLogits) {
  const int64_t tokens = 2048, vocabulary = 128 * 1024, width = 16;
  const Tensor hidden = normal_tensor({tokens, width}, 11, at::kFloat).requires_grad_();
  const Tensor weight = normal_tensor({vocabulary, width}, 12, at::kFloat).requires_grad_();
  const auto peak_bytes = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<int64_t>(usage.ru_maxrss) * 1024;
  };
  const int64_t before = peak_bytes();
  const LogProbs got = linear_logprob(hidden, weight, at::arange(tokens, at::kLong));
  gradients(got.logp + got.entropy, at::ones({tokens}), {hidden, weight});
  EXPECT_LT(peak_bytes() - before, tokens * vocabulary * 4 / 8);
}

}  // namespace
}  // namespace keel
