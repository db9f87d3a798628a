// The log-probability and entropy of chosen tokens under a linear language head, without a [tokens,
// vocabulary] tensor: logits live for one chunk of rows at a time, in the forward and again in the backward
// pass.
#pragma once

#include "keel/tensors/precision.h"

namespace keel {

struct LogProbs {
  Tensor logp;     // (S) nats: log softmax(logits / temperature)[token]
  Tensor entropy;  // (S) nats: of softmax(logits / temperature)
};

struct LogProbOptions {
  double temperature = 1.0;
  Precision precision =
      Precision::float32;            // of the products; softmax and sums are float32 (float64 when hidden is)
  int64_t chunk_elements = 1 << 23;  // bounds rows x vocabulary of one chunk
  /// The gradient of logp (S), where it is known before, as in a next-token loss: then the forward pass makes
  /// the gradients with the logits it has, and adds the weight's to the weight's own. For that alone: a
  /// backward with another gradient is an error of the program.
  Tensor known_dlogp = {};
};

/// hidden: (S, H), the row that predicts each scored token; weight: (V, H); tokens: (S) int64.
/// Differentiable in hidden and weight, through logp and entropy; gradients have their formats.
LogProbs linear_logprob(const Tensor& hidden, const Tensor& weight, const Tensor& tokens,
                        LogProbOptions options = {});

/// The same by ATen's operators, which other devices and formats run and tests compare with.
LogProbs linear_logprob_plain(const Tensor& hidden, const Tensor& weight, const Tensor& tokens,
                              const LogProbOptions& options = {});

}  // namespace keel
