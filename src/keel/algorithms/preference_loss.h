// Losses of reward models: comparisons and labels.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// Bradley–Terry: sum_p weight_p * -log sigmoid(better_p - worse_p - margin_p). All (P); margin may be
/// undefined. InstructGPT (Ouyang et al. 2022, equation 1): all pairs of one prompt are one element, weight_p
/// is 1 / (strictly ordered pairs of the prompt) / (prompts of the batch); 1/C(K,2) without ties. The paper
/// prints the expectation without "minimise -log": lecture notes that drop the minus train the reverse. 1/2K
/// is wrong as well.
Tensor preference_loss(const Tensor& better, const Tensor& worse, const Tensor& margin, const Tensor& weight);

/// Binary cross-entropy of a classifier whose logit is the reward: sum_i weight_i BCE(sigmoid(logit_i),
/// label_i). logit, label (0 or 1), weight: (B).
Tensor label_loss(const Tensor& logit, const Tensor& label, const Tensor& weight);

}  // namespace keel
