// The loss of a head that learns numbers: ratings, or the output-level scalars of rankings (Elo,
// Bradley–Terry).
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// sum_i weight_i (value_i - target_i)², all (N): the mean squared error of transformers' classifiers with
/// problem_type "regression" when weight_i is 1 / N.
Tensor regression_loss(const Tensor& value, const Tensor& target, const Tensor& weight);

}  // namespace keel
