#include "keel/algorithms/preference_loss.h"

#include "keel/tensors/checks.h"

namespace keel {

Tensor preference_loss(const Tensor& better, const Tensor& worse, const Tensor& margin,
                       const Tensor& weight) {
  check_shape("preference_loss", "worse", worse, better.sizes().vec());
  check_shape("preference_loss", "weight", weight, better.sizes().vec());
  const Tensor difference = margin.defined() ? better - worse - margin : better - worse;
  return -(at::log_sigmoid(difference) * weight).sum();
}

// log(1 + exp(z)) - y z, by log sigmoid so that large logits do not overflow.
Tensor label_loss(const Tensor& logit, const Tensor& label, const Tensor& weight) {
  check_shape("label_loss", "label", label, logit.sizes().vec());
  check_shape("label_loss", "weight", weight, logit.sizes().vec());
  return -((label * at::log_sigmoid(logit) + (1 - label) * at::log_sigmoid(-logit)) * weight).sum();
}

}  // namespace keel
