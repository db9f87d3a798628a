// Log-probabilities as the sampler computed them, to the bit: the same kernels, in which a row does not
// depend on what else is in its batch. With them policy, trainer and reference agree exactly where their
// weights do, so a ratio of one is 1 and a KL of nothing is 0 (He et al. 2025, "Defeating Nondeterminism in
// LLM Inference"; what it costs: docs/BENCHMARKS.md).
#pragma once

#include "keel/models/model.h"

namespace keel {

/// log softmax(logits / temperature) of tokens[i] predicted from row from[i] of the forest: (S) float32,
/// without gradient. from, tokens: (S) int64. The model's precision is that of its sampler.
Tensor exact_logp(const Model& model, const Forest& forest, const Tensor& from, const Tensor& tokens,
                  double temperature);

/// A tensor with the values of `values` and the gradient of `x`; of one shape. The backward pass goes through
/// what made x, which is the same function up to rounding.
Tensor with_values(const Tensor& x, const Tensor& values);

}  // namespace keel
