// The inner half of online reinforcement learning: what is known of a batch of rollouts, and the updates made
// from it. The outer half, which samples and scores, is online.cpp.
#pragma once

#include "keel/algorithms/advantages.h"
#include "keel/algorithms/kl.h"
#include "keel/algorithms/ppo.h"
#include "keel/data/episodes.h"
#include "keel/data/micro_batches.h"
#include "keel/models/model.h"
#include "keel/optimizers/adamw.h"

namespace keel {

/// Where a response's score is given: on its last token (default), or one place after the EOS of a response
/// that ended before the budget, as TRL 0.24 does, with a value of its own there.
enum class ScorePlace { last_token, after_end };

constexpr int64_t kTokensAtOnce = 16384;  // bounds the memory of a pass without gradients

struct UpdateOptions {
  double temperature = 1.0;
  double gamma = 1.0, lambda = 0.95;
  KlEstimator kl_estimator = KlEstimator::k1;
  Clip clip;
  double value_clip = 0.2, value_coefficient = 0.1, entropy_coefficient = 0.0;
  bool whiten_rewards = false, whiten_advantages = true;
  Variance variance = Variance::unbiased;
  ScorePlace score_place = ScorePlace::last_token;
  int64_t response_length = 0;  // the budget, for ScorePlace::after_end
  int64_t epochs = 4;
  // An epoch is cut into so many mini-batches, and into as many more as it takes that none holds more tokens
  // than tokens_per_mini_batch (0: no bound; an episode may).
  int64_t mini_batches = 1, tokens_per_mini_batch = 0;
  MicroBatchLimits limits = {};  // of a micro-batch, of scoring as of updates
  double max_grad_norm = 1.0, value_max_grad_norm = 1.0;
};

/// The models that take part. On a shared trunk `value.trunk` is the policy's.
struct Players {
  Role policy, value, reference;
};

/// Everything that is fixed before the first update, on the host. N tokens, M states (EpisodeBatch).
struct Experience {
  std::vector<Episode> episodes;
  std::vector<int64_t> offsets, state_offsets;
  Tensor logp, logp_reference, entropy, kl, advantage;  // (N)
  Tensor value, returns, rewards;                       // (M)
};

/// Scores the rollouts with policy, value and reference, and gives credit: per-token KL penalty, score, GAE,
/// whitening.
Experience make_experience(const Players& players, std::vector<Episode> episodes, double kl_coefficient,
                           const UpdateOptions& options);

/// What an update did, averaged over its mini-batches.
struct UpdateReport {
  double policy_loss = 0, value_loss = 0, entropy = 0;
  double policy_clip_fraction = 0, value_clip_fraction = 0,
         ratio_kl = 0;  // ratio_kl: k3 of new against old policy
  double gradient_norm = 0, value_gradient_norm = 0;
  std::vector<double> logp_change;  // by episode: sum of logp - old logp when it was last visited
};

/// The order of episodes in one epoch: (episodes) indices.
using EpisodeOrder = std::function<std::vector<int64_t>(int64_t epoch)>;

/// What changes a model, and how far.
struct Learner {
  AdamW& optimizer;
  double rate;
};

/// Epochs over shuffled mini-batches (Schulman 2017, algorithm 1). Each mini-batch's losses are token means
/// over that mini-batch; micro-batches change nothing but memory. The value's loss is scaled by
/// value_coefficient and has its own optimizer. No gradient is left behind.
UpdateReport update_policy(const Players& players, const Experience& experience, const EpisodeOrder& order,
                           Learner policy, Learner value, const UpdateOptions& options);

}  // namespace keel
