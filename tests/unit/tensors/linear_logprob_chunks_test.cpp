// A chunk holds at least 16 rows, so what is added up over chunks shows only with more of them.
#include <gtest/gtest.h>

#include "keel/tensors/linear_logprob.h"
#include "tensors/dense_reference.h"

namespace keel {
namespace {

using namespace testing_reference;

TEST(LinearLogProb, GradientsOfSeveralChunksEqualThoseOfOne) {
  const int64_t rows = 50, vocabulary = 9;
  const Tensor tokens = at::arange(rows, at::kLong).remainder(vocabulary);
  const Tensor for_logp = normal_tensor({rows}, 3), for_entropy = normal_tensor({rows}, 4);
  std::vector<std::vector<Tensor>> grads;
  for (const int64_t chunk_elements : {int64_t{1}, rows * vocabulary}) {
    const std::vector<Tensor> x = {normal_tensor({rows, 4}, 1).requires_grad_(true),
                                   normal_tensor({vocabulary, 4}, 2).requires_grad_(true)};
    const LogProbs result =
        linear_logprob(x[0], x[1], tokens, {.temperature = 0.7, .chunk_elements = chunk_elements});
    grads.push_back(
        gradients(result.logp * for_logp + result.entropy * for_entropy, at::ones({rows}, at::kDouble), x));
  }
  EXPECT_LT(largest_difference(grads[0][0], grads[1][0]), 1e-12);
  EXPECT_LT(largest_difference(grads[0][1], grads[1][1]), 1e-12);
  EXPECT_GT(grads[1][1].abs().max().item().toDouble(), 0.1);
}

// The fused passes of float32 and bfloat16 against ATen's in float64, from the same rounded numbers.
TEST(LinearLogProb, BlocksEqualThePlainStatement) {
  const int64_t rows = 150, vocabulary = 300, width = 34;
  const Tensor tokens = at::arange(rows, at::kLong).remainder(vocabulary);
  const Tensor for_logp = normal_tensor({rows}, 3), for_entropy = normal_tensor({rows}, 4);
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    const auto format = precision == Precision::bfloat16 ? at::kBFloat16 : at::kFloat;
    const auto input = [&](std::vector<int64_t> shape, uint64_t seed) {
      return normal_tensor(std::move(shape), seed).to(format).to(at::kDouble);
    };
    std::vector<Tensor> exact = {input({rows, width}, 1).requires_grad_(true),
                                 input({vocabulary, width}, 2).requires_grad_(true)};
    std::vector<Tensor> x = {exact[0].detach().to(at::kFloat).requires_grad_(true),
                             exact[1].detach().to(at::kFloat).requires_grad_(true)};
    const LogProbOptions options{
        .temperature = 0.7, .precision = precision, .chunk_elements = 40 * vocabulary};
    const LogProbs got = linear_logprob(x[0], x[1], tokens, options),
                   wanted = linear_logprob_plain(exact[0], exact[1], tokens, {.temperature = 0.7});
    EXPECT_LT(largest_difference(got.logp, wanted.logp), 2e-4);
    EXPECT_LT(largest_difference(got.entropy, wanted.entropy), 2e-4);
    const auto loss = [&](const LogProbs& p, at::ScalarType type) {
      return p.logp * for_logp.to(type) + p.entropy * for_entropy.to(type);
    };
    const auto grad = gradients(loss(got, at::kFloat), at::ones({rows}, at::kFloat), x);
    const auto expected = gradients(loss(wanted, at::kDouble), at::ones({rows}, at::kDouble), exact);
    const double tolerance = precision == Precision::bfloat16 ? 1e-2 : 1e-5;
    for (size_t i = 0; i < 2; ++i)
      EXPECT_LT(largest_difference(grad[i], expected[i]),
                tolerance * expected[i].abs().max().item().toDouble())
          << "input " << i;
  }
}

// Gradients made in the forward pass are those of the backward pass; what was no truth is refused.
TEST(LinearLogProb, KnownGradientsAreTheSame) {
  const int64_t rows = 90, vocabulary = 70;
  const Tensor tokens = at::arange(rows, at::kLong).remainder(vocabulary);
  const Tensor dlogp = normal_tensor({rows}, 3, at::kFloat);
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    const auto gradients_of = [&](const Tensor& known, const Tensor& truth) {
      const Tensor hidden = normal_tensor({rows, 8}, 1, at::kFloat).requires_grad_(true),
                   weight = normal_tensor({vocabulary, 8}, 2, at::kFloat).requires_grad_(true);
      const LogProbs p =
          linear_logprob(hidden, weight, tokens,
                         {.precision = precision, .chunk_elements = 32 * vocabulary, .known_dlogp = known});
      (p.logp * truth).sum().backward();
      return std::vector<Tensor>{hidden.grad(), weight.grad()};
    };
    const auto later = gradients_of({}, dlogp), at_once = gradients_of(dlogp, dlogp);
    for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(at_once[i].equal(later[i])) << i;
    EXPECT_THROW(gradients_of(dlogp, dlogp + 1), std::logic_error);
  }
}

// Chunk by chunk and pass by pass the weight's gradient adds up, a few of its rows at a time.
TEST(LinearLogProb, GradientsOfPassesAddUpInTheWeightsOwn) {
  const int64_t rows = 40, vocabulary = 9000, width = 256;
  const Tensor tokens = at::arange(rows, at::kLong) * 211, dlogp = normal_tensor({rows}, 3, at::kFloat);
  const Tensor hidden = normal_tensor({rows, width}, 1, at::kFloat),
               values = normal_tensor({vocabulary, width}, 2, at::kFloat).mul_(0.1);
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    const Tensor weight = values.clone().requires_grad_(true);
    for (int pass = 0; pass < 2; ++pass)
      (linear_logprob(hidden, weight, tokens, {.precision = precision}).logp * dlogp).sum().backward();
    const Tensor wide = values.to(at::kDouble).requires_grad_(true);
    (linear_logprob_plain(hidden.to(at::kDouble), wide, tokens).logp * dlogp).sum().backward();
    const double tolerance = precision == Precision::bfloat16 ? 2e-2 : 1e-5;
    EXPECT_LT(largest_difference(weight.grad(), 2 * wide.grad()),
              tolerance * wide.grad().abs().max().item().toDouble());
  }
}

}  // namespace
}  // namespace keel
