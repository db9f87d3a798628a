// The gradient of a linear layer's weight, dW += dyᵀ x, with float32 sums that go straight into dW.
//
// at::mm of bfloat16 gives a bfloat16 product, which is then read again to be added. Here tiles of 64 x 64
// are added to in registers, from operands packed by columns (panel_product.h); nothing is transposed,
// because a broadcast reads its word wherever it lies. Measured in turn on two threads: 1.10 to 1.24 times as
// fast as at::mm and the addition in the blocks of m30, 1.20 to 1.40 times in a head of 32,000 words.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// gradient (out, in) float32, contiguous, += dyᵀ x, or = where it is `fresh`: what stands in it is not read.
/// dy: (rows, out), x: (rows, in), both of one format, whose rows are contiguous. The result does not depend
/// on the number of threads.
void add_weight_gradient(const Tensor& gradient, const Tensor& dy, const Tensor& x, bool fresh = false);

/// The same by ATen's operators.
void add_weight_gradient_plain(const Tensor& gradient, const Tensor& dy, const Tensor& x, bool fresh = false);

}  // namespace keel
