#include "keel/statistics/cholesky.h"

#include <cmath>
#include <utility>

namespace keel {

Cholesky::Cholesky(std::vector<double> matrix, size_t size) : factor_(std::move(matrix)), size_(size) {
  for (size_t j = 0; j < size_; ++j) {
    for (size_t i = j; i < size_; ++i) {
      double sum = at(i, j);
      for (size_t k = 0; k < j; ++k) sum -= at(i, k) * at(j, k);
      factor_[i * size_ + j] = i == j ? std::sqrt(sum) : sum / at(j, j);
    }
  }
}

std::vector<double> Cholesky::solve(std::vector<double> right) const {
  for (size_t i = 0; i < size_; ++i) {
    for (size_t k = 0; k < i; ++k) right[i] -= at(i, k) * right[k];
    right[i] /= at(i, i);
  }
  for (size_t i = size_; i-- > 0;) {
    for (size_t k = i + 1; k < size_; ++k) right[i] -= at(k, i) * right[k];
    right[i] /= at(i, i);
  }
  return right;
}

}  // namespace keel
