#include "keel/algorithms/regression_loss.h"

#include "keel/tensors/checks.h"

namespace keel {

Tensor regression_loss(const Tensor& value, const Tensor& target, const Tensor& weight) {
  check_shape("regression_loss", "target", target, value.sizes().vec());
  check_shape("regression_loss", "weight", weight, value.sizes().vec());
  return ((value - target).square() * weight).sum();
}

}  // namespace keel
