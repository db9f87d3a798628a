// Reward models: from rankings (pairs and K-wise), from yes/no labels, or from numbers.
#pragma once

#include "keel/trainers/training_options.h"

namespace keel {

struct RewardOptions : SupervisedOptions {
  std::string center_on, normalization = "none", read_at = "last", ties = "drop", standardise = "all",
                         personal = "none";
  double every_token = 0, margin_scale = 0, personal_penalty = 0.01;
  std::vector<std::string> head_weights;
  bool from_scratch = false;
  int64_t members = 1;

  RewardOptions();
  void visit(OptionVisitor& visitor) override;
  void check() const override;
};

/// Starts from a language model (a new scalar head), from a reward model, or from an architecture alone, and
/// writes a …ForSequenceClassification whose logit is the reward, or, from ratings, with one label for each
/// dimension. Several members are runs of their own in member-1, member-2, …, and ensemble.json names them.
void train_reward(RewardOptions& options);

}  // namespace keel
