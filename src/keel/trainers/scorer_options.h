// The options that say what judges a text: reward models, what of a head with several labels is the reward,
// and how several models become one.
#pragma once

#include <string>
#include <vector>

#include "keel/config/options.h"
#include "keel/models/model.h"
#include "keel/scoring/ensemble.h"
#include "keel/trainers/compute.h"

namespace keel {

struct ScorerOptions {
  std::vector<std::string> models;  // folders, or runs of `keel reward --members`
  std::vector<std::string> head_weights;
  std::string ensemble = "mean";
  double ensemble_lambda = 1;

  /// The models' option has this name and help. `required`: it must be given.
  void visit(OptionVisitor& visitor, const std::string& name, const std::string& help, bool required = true);
  EnsembleRule rule() const { return ensemble_rule(ensemble, ensemble_lambda); }
  /// The folders of the members. Errors: [folder] an ensemble that is not finished.
  std::vector<std::string> folders() const;
  /// Every member with its head's weights set. Errors: as open_reward_model and set_head_weights.
  std::vector<Model> open(const Compute& compute) const;
};

/// What `keel reward --members` leaves: the folders of its members.
void write_ensemble(const std::filesystem::path& run, int64_t members);
std::filesystem::path member_folder(const std::filesystem::path& run, int64_t member);

/// {"helpful=1", "honest=0.5"} → what the labels of the head weigh in the reward; one that is not named
/// weighs 0. Another mix than the head's own ends its normalisation. Errors: UsageError for a label that the
/// head does not have, or a head of one label.
void set_head_weights(Model& model, const std::vector<std::string>& weights);

}  // namespace keel
