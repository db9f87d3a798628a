// The Kullback–Leibler divergence of the policy from its reference: estimators and controllers.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// Schulman 2020, "Approximating KL divergence", with log ratio d = logp - logp_reference under samples of
/// the policy:
///   k1 = d                unbiased, may be negative, high variance
///   k2 = d² / 2           biased, low variance; its gradient on policy is the KL's
///   k3 = exp(-d) - 1 + d  unbiased, never negative; as a loss its gradient on policy is the forward KL's
enum class KlEstimator { k1, k2, k3 };

/// Errors: UsageError for a name that is none of k1, k2, k3.
KlEstimator kl_estimator_named(const std::string& name);

/// logp, logp_reference: (N) nats. Returns (N).
Tensor kl_estimate(const Tensor& logp, const Tensor& logp_reference, KlEstimator estimator);

/// Exact KL(p || q) of each row over the whole vocabulary. log_p, log_q: (N, V). Returns (N).
Tensor exact_kl(const Tensor& log_p, const Tensor& log_q);

/// Ziegler et al. 2019, section 2.2: after each batch the coefficient is multiplied by
/// 1 + clip(kl / target - 1, -0.2, 0.2) * sequences / horizon, kl being the mean of sequence sums. Without a
/// target the coefficient is fixed.
struct KlController {
  double coefficient = 0.05;
  double target = 0;  // nats per sequence; 0: fixed
  double horizon = 10000;
  void update(double sequence_kl, int64_t sequences);
};

}  // namespace keel
