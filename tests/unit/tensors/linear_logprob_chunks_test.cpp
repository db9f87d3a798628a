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
    const LogProbs result = linear_logprob(x[0], x[1], tokens, 0.7, chunk_elements);
    grads.push_back(
        gradients(result.logp * for_logp + result.entropy * for_entropy, at::ones({rows}, at::kDouble), x));
  }
  EXPECT_LT(largest_difference(grads[0][0], grads[1][0]), 1e-12);
  EXPECT_LT(largest_difference(grads[0][1], grads[1][1]), 1e-12);
  EXPECT_GT(grads[1][1].abs().max().item().toDouble(), 0.1);
}

}  // namespace
}  // namespace keel
