#include "keel/algorithms/dpo.h"

#include "keel/tensors/checks.h"

namespace keel {
namespace {

// log(policy / reference) of the better completion minus that of the worse one.
Tensor log_ratio_margin(const char* where, const PairLogps& policy, const PairLogps& reference,
                        const Tensor& weight) {
  check_shape(where, "policy.better", policy.better, {-1});
  for (const Tensor* other : {&policy.worse, &reference.better, &reference.worse, &weight})
    check_shape(where, "every argument", *other, policy.better.sizes().vec());
  return (policy.better - policy.worse) - (reference.better - reference.worse);
}

}  // namespace

Tensor implicit_reward(const Tensor& logp, const Tensor& logp_reference, double beta) {
  check_shape("implicit_reward", "logp_reference", logp_reference, logp.sizes().vec());
  return beta * (logp - logp_reference);
}

Tensor dpo_loss(const PairLogps& policy, const PairLogps& reference, const Tensor& weight, double beta,
                double label_smoothing) {
  const Tensor z = beta * log_ratio_margin("dpo_loss", policy, reference, weight);
  const Tensor right = -at::log_sigmoid(z), wrong = -at::log_sigmoid(-z);
  return (((1 - label_smoothing) * right + label_smoothing * wrong) * weight).sum();
}

Tensor ipo_loss(const PairLogps& policy, const PairLogps& reference, const Tensor& weight, double beta) {
  const Tensor h = log_ratio_margin("ipo_loss", policy, reference, weight);
  return ((h - 1 / (2 * beta)).square() * weight).sum();
}

Tensor hinge_loss(const PairLogps& policy, const PairLogps& reference, const Tensor& weight, double beta) {
  const Tensor z = beta * log_ratio_margin("hinge_loss", policy, reference, weight);
  return ((1 - z).relu() * weight).sum();
}

}  // namespace keel
