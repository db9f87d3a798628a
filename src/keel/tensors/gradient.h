// Gradients of parameters without a tensor of their size in every pass.
//
// Autograd makes a node's gradient and adds it to what stands: a second tensor as large as the parameter,
// written and read once more. A node that adds its products to the parameter's own gradient saves both (m30
// with 32,000 words: 190 MB of 1.4 GB).
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// Whether a node may add to this tensor's own gradient: autograd would do nothing else with it.
bool owns_gradient(const Tensor& parameter);

/// Zeros where none stands yet. For parameters that own it.
Tensor& own_gradient(const Tensor& parameter);

/// What a node's backward returns for a linear layer's weight, whose gradient is dyᵀ x: nothing, because it
/// was added to the weight's own (tensors/weight_gradient), or the gradient in the weight's format.
Tensor passed_on(const Tensor& weight, const Tensor& dy, const Tensor& x);

}  // namespace keel
