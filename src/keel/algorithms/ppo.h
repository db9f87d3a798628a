// Proximal policy optimisation (Schulman et al. 2017): the clipped losses of policy and value.
// All tensors (N) over response tokens; weights are made from global counts, so no loss divides.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// The ratio is clipped to [1 - low, 1 + high].
struct Clip {
  double low = 0.2, high = 0.2;
};

/// Schulman 2017, equation 7, as a loss to minimise: sum_t w_t max(-r_t A_t, -clip(r_t, 1-low, 1+high) A_t)
/// with r_t = exp(logp_t - logp_old_t). Notes that "maximise the policy loss" have the sign of this reversed.
Tensor ppo_policy_loss(const Tensor& logp, const Tensor& logp_old, const Tensor& advantage,
                       const Tensor& weight, const Clip& clip);

/// sum_t w_t / 2 max((V_t - R_t)², (V_old_t + clip(V_t - V_old_t, -range, range) - R_t)²), as in Ziegler
/// 2019's code and TRL. A range of infinity gives the plain squared loss.
Tensor ppo_value_loss(const Tensor& value, const Tensor& value_old, const Tensor& returns,
                      const Tensor& weight, double range);

/// The weighted share of tokens whose clipped term is the larger one: how often clipping was active.
double policy_clip_fraction(const Tensor& logp, const Tensor& logp_old, const Tensor& advantage,
                            const Tensor& weight, const Clip& clip);
double value_clip_fraction(const Tensor& value, const Tensor& value_old, const Tensor& returns,
                           const Tensor& weight, double range);

}  // namespace keel
