// Reward models: from rankings (pairs and K-wise) or from yes/no labels.
#pragma once

#include "keel/trainers/training_options.h"

namespace keel {

struct RewardOptions : SupervisedOptions {
  std::string center_on, normalization = "none", read_at = "last";
  double every_token = 0;

  RewardOptions();
  void visit(OptionVisitor& visitor) override;
  void check() const override;
};

/// Starts from a language model (a new scalar head) or from a reward model, and writes a
/// …ForSequenceClassification whose one logit is the reward.
void train_reward(RewardOptions& options);

}  // namespace keel
