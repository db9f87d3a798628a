#include "keel/algorithms/kl.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/tensors/checks.h"

namespace keel {

KlEstimator kl_estimator_named(const std::string& name) {
  if (name == "k1") return KlEstimator::k1;
  if (name == "k2") return KlEstimator::k2;
  if (name == "k3") return KlEstimator::k3;
  throw UsageError("--kl-estimator", "expected k1, k2 or k3, got " + name);
}

Tensor kl_estimate(const Tensor& logp, const Tensor& logp_reference, KlEstimator estimator) {
  check_shape("kl_estimate", "logp_reference", logp_reference, logp.sizes().vec());
  const Tensor d = logp - logp_reference;
  switch (estimator) {
    case KlEstimator::k1:
      return d;
    case KlEstimator::k2:
      return d.square() / 2;
    case KlEstimator::k3:
      return (-d).expm1() + d;
  }
  throw std::logic_error("kl_estimate: unknown estimator");
}

Tensor exact_kl(const Tensor& log_p, const Tensor& log_q) {
  check_shape("exact_kl", "log_q", log_q, log_p.sizes().vec());
  return (log_p.exp() * (log_p - log_q)).sum(-1);
}

void KlController::update(double sequence_kl, int64_t sequences) {
  if (target <= 0) return;
  const double error = std::clamp(sequence_kl / target - 1, -0.2, 0.2);
  coefficient *= 1 + error * static_cast<double>(sequences) / horizon;
}

}  // namespace keel
