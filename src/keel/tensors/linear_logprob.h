// The log-probability and entropy of chosen tokens under a linear language head, without a [tokens,
// vocabulary] tensor: logits live for one chunk of rows at a time, in the forward and again in the backward
// pass.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

struct LogProbs {
  Tensor logp;     // (S) nats: log softmax(logits / temperature)[token]
  Tensor entropy;  // (S) nats: of softmax(logits / temperature)
};

/// hidden: (S, H), the row that predicts each scored token; weight: (V, H); tokens: (S) int64.
/// Differentiable in hidden and weight, through logp and entropy. Products in hidden's dtype; softmax in
/// float32 (float64 when hidden is). `chunk_elements` bounds rows x vocabulary of one chunk.
LogProbs linear_logprob(const Tensor& hidden, const Tensor& weight, const Tensor& tokens,
                        double temperature = 1.0, int64_t chunk_elements = 1 << 21);

}  // namespace keel
