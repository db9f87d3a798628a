#include "keel/algorithms/next_token.h"

#include "keel/tensors/checks.h"

namespace keel {

Tensor next_token_loss(const Tensor& logp, const Tensor& weight) {
  check_shape("next_token_loss", "weight", weight, logp.sizes().vec());
  return -(logp * weight).sum();
}

}  // namespace keel
