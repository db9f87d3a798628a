// The next-token loss of pretraining and supervised fine-tuning.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// -sum_i weight_i logp_i. logp: (S) nats; weight: (S), made from global counts (1 / scored tokens of the
/// whole batch for the token mean). What is scored (completion only, or all) is the batch's business, not the
/// loss's.
Tensor next_token_loss(const Tensor& logp, const Tensor& weight);

}  // namespace keel
