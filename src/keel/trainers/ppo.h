// Proximal policy optimisation against a reward model under a KL leash to a frozen reference.
#pragma once

#include "keel/trainers/scorer_options.h"
#include "keel/trainers/training_options.h"

namespace keel {

struct PpoOptions : TrainingOptions {
  ScorerOptions scorer;
  std::string live_reward, live_judges = "human";
  double live_seconds = 0;
  std::string reference_model, value_init = "auto";
  bool shared_trunk = false;
  int64_t response_length = 64, samples_per_prompt = 1, ppo_epochs = 4, mini_batches = 1;
  double temperature = 1.0, top_p = 1.0;
  int64_t top_k = 0;
  bool allow_biased_sampling = false;
  double kl_coef = 0.05, kl_target = 0, kl_horizon = 10000;
  std::string kl_estimator = "k1";
  double clip = 0.2, clip_value = 0.2, value_coefficient = 0.1, entropy_coefficient = 0.0;
  double gamma = 1.0, lambda = 0.95;
  bool whiten_rewards = false, whiten_advantages = true;
  std::string score_place = "last_token", missing_eos = "subtract";
  double missing_eos_penalty = 0.0;
  double reward_scale = 1.0, value_learning_rate = 0, value_max_grad_norm = 1.0;
  int64_t log_samples = 1;
  bool exact = false;

  PpoOptions();
  void visit(OptionVisitor& visitor) override;
  void check() const override;
};

void train_ppo(PpoOptions& options);

}  // namespace keel
