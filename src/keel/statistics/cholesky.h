// Small systems of linear equations with a symmetric positive definite matrix.
#pragma once

#include <cstddef>
#include <vector>

namespace keel {

/// The factor L of a matrix L·Lᵀ, given row by row. Cubic in its size.
class Cholesky {
 public:
  Cholesky(std::vector<double> matrix, size_t size);
  /// x with L·Lᵀ·x = right.
  std::vector<double> solve(std::vector<double> right) const;

 private:
  double at(size_t row, size_t column) const { return factor_[row * size_ + column]; }

  std::vector<double> factor_;
  size_t size_;
};

}  // namespace keel
