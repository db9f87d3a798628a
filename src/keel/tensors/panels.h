// A weight packed for products (panel_product.h), and the products: x Wᵀ on the way there, dy W on the way
// back.
//
// Against at::mm on two threads of Zen 4 (rows 448 to 4,600, the shapes of m30): bfloat16 1.05 to 1.15 times
// as fast once packed, float32 1.15 to 1.5 times; the packing reads the float32 weight, which a conversion to
// bfloat16 would read, too.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// T: float or c10::BFloat16, the format of the products. The weight is float32, or of T.
template <class T>
class Panels {
 public:
  /// For x Wᵀ and for dy W. weight: (out, in), contiguous.
  static Panels of_rows(const Tensor& weight);
  static Panels of_columns(const Tensor& weight);

  int64_t outputs() const { return outputs_; }
  /// Columns of what multiply_rows writes: outputs in whole panels.
  int64_t padded_outputs() const;

  /// x · W + bias, (rows, outputs) of T. x: (rows, inputs) of T, its rows contiguous; bias: (outputs)
  /// float32, added before the sum is rounded, or undefined.
  Tensor multiply(const Tensor& x, const Tensor& bias = {}) const;
  /// float32 sums (rows, padded_outputs()), by the calling thread. x: rows `stride` apart.
  void multiply_rows(const T* x, int64_t stride, int64_t rows, float* sums) const;

 private:
  Panels(const Tensor& weight, int64_t outputs, int64_t inputs);
  int64_t panels() const;
  const T* panel(int64_t index) const;

  int64_t outputs_, inputs_, words_;
  Tensor packed_;  // (panels, words, kPanel, kWord)
};

/// Whether panels are the fastest products of this format here: bfloat16 on AMX is oneDNN's.
bool multiplies_by_panels(at::ScalarType type);

/// x Wᵀ + b and dy W in the format of x and dy: by panels, and by ATen's operators. Biases are float32.
Tensor linear_product(const Tensor& x, const Tensor& weight, const Tensor& bias);
Tensor linear_product_plain(const Tensor& x, const Tensor& weight, const Tensor& bias);
Tensor linear_product_back(const Tensor& dy, const Tensor& weight);
Tensor linear_product_back_plain(const Tensor& dy, const Tensor& weight);

}  // namespace keel
