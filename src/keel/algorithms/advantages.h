// From scores to advantages. Everything is packed: tokens of all responses end to end, offsets (B + 1).
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// reward_t = -beta kl_t, plus the response's score on its last token (Ouyang et al. 2022, equation 2,
/// without ptx). kl: (N); scores: (B); offsets: B + 1 numbers. Returns (N).
Tensor token_rewards(const Tensor& kl, const Tensor& scores, std::span<const int64_t> offsets, double beta);

struct Advantages {
  Tensor advantage;  // (N)
  Tensor returns;    // (N) advantage + value
};

/// Generalised advantage estimation (Schulman et al. 2016, equation 16): delta_t = r_t + gamma V_{t+1} - V_t,
/// and advantage_t = sum_l (gamma lambda)^l delta_{t+l}. The value after a response's last token is 0,
/// whether it was finished or cut: there is no next state whose reward could still come. rewards, values:
/// (N).
Advantages generalized_advantages(const Tensor& rewards, const Tensor& values,
                                  std::span<const int64_t> offsets, double gamma, double lambda);

enum class Variance { unbiased, population };  // TRL divides by N - 1, OpenRLHF by N

/// (x - mean) / sqrt(variance + 1e-8) over all elements of a batch; with keep_mean the mean is added back.
Tensor whiten(const Tensor& values, Variance variance, bool keep_mean = false);

}  // namespace keel
