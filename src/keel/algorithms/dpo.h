// Losses of direct preference optimisation: a policy is trained on comparisons without a reward model, held
// near a frozen reference. All tensors (P) over pairs, log-probabilities in nats; weights are made from
// global counts (1 / pairs of the prompt / prompts of the batch), so no loss divides. Equal to TRL 0.24's
// DPOTrainer.dpo_loss, element by element.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// Log-probabilities of a pair's two completions given their prompt, under one model.
struct PairLogps {
  Tensor better, worse;  // (P)
};

/// beta (log policy - log reference): the reward that a policy's log-probabilities imply (Rafailov et al.
/// 2023, equation 5, without the prompt's term, which cancels in every pair).
Tensor implicit_reward(const Tensor& logp, const Tensor& logp_reference, double beta);

/// Rafailov et al. 2023, equation 7: sum_p weight_p * -log sigmoid(z_p), where z is the implicit reward of
/// the better completion minus that of the worse one. logp: sums over the completion's tokens. With
/// label_smoothing e (below 1/2: a share of labels that is expected to be wrong) -(1 - e) log sigmoid(z) - e
/// log sigmoid(-z), the conservative DPO of Mitchell 2023.
Tensor dpo_loss(const PairLogps& policy, const PairLogps& reference, const Tensor& weight, double beta,
                double label_smoothing = 0);

/// Azar et al. 2023, equation 17: sum_p weight_p (h_p - 1 / (2 beta))², where h is the log-ratio of the
/// better completion minus that of the worse one; beta is the paper's tau. The paper's logp are sums over
/// tokens, TRL's means; the caller chooses.
Tensor ipo_loss(const PairLogps& policy, const PairLogps& reference, const Tensor& weight, double beta);

/// Zhao et al. 2023 (SLiC), as TRL applies it to implicit rewards: sum_p weight_p max(0, 1 - z_p).
Tensor hinge_loss(const PairLogps& policy, const PairLogps& reference, const Tensor& weight, double beta);

}  // namespace keel
