// In which number format matrix products run. Master weights, moments, softmax, norms and losses stay in
// float32.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

enum class Precision { float32, bfloat16 };

/// What a model is opened for. A step of generation reads all weights for a few rows, so that bytes matter
/// more than the rate of products.
enum class Work { training, generation };

/// "auto" is bfloat16 where the device is faster with it (training: AVX512-BF16 of AMD's processors, AMX,
/// tensor cores; generation: any AVX512-BF16) and the model is wide enough to repay the conversions; else
/// float32. Errors: UsageError for any other name.
Precision choose_precision(const std::string& name, int64_t hidden, at::Device device,
                           Work work = Work::training);

/// x Wᵀ + b. x: (N, in), weight: (out, in), bias: (out) or undefined. The product runs in `precision`
/// (float64 stays float64); the result has x's dtype. Differentiable.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Precision precision);

/// x Wᵀ with sums that are not rounded to x's format where the device can give them: float32 of bfloat16 on
/// CUDA. Else in float32, or float64 for it, after rounding. x: (N, in), weight: (out, in), of one format.
Tensor wide_product(const Tensor& x, const Tensor& weight);

}  // namespace keel
