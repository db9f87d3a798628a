// Several reward models as one scorer: where they disagree, a text is unlike what they were trained on, and a
// policy that is held to their minimum, or to their mean less a multiple of their deviation, is led there
// less. Coste et al. 2024, "Reward model ensembles help mitigate overoptimization" (whose third rule
// subtracts the variance); Eisenstein et al. 2023, "Helping or herding?" (the deviation, as here).
#pragma once

#include "keel/scoring/reward_model.h"

namespace keel {

struct EnsembleRule {
  enum class Kind { mean, minimum, mean_minus_deviation } kind = Kind::mean;
  double lambda = 1;  // deviations that are subtracted
};

/// Errors: UsageError for a name that is none of mean, minimum, mean_minus_deviation.
EnsembleRule ensemble_rule(const std::string& name, double lambda);

/// One reward of the members'. The deviation is over n.
double combined_reward(std::span<const double> members, const EnsembleRule& rule);

/// The scores of one sample by every member as one: `parts` holds the members' rewards, or, of a single
/// member, its own parts.
Score combined_score(std::span<const Score> members, const EnsembleRule& rule);

/// The mean over samples of the deviation of their parts: 0 for a single reward model.
double disagreement(std::span<const Score> scores);

class RewardEnsemble : public Scorer {
 public:
  /// At least one member.
  RewardEnsemble(std::vector<RewardModel> members, EnsembleRule rule);
  void score(std::span<const ScoredSample> samples, std::span<Score> scores) override;
  const RewardModel& first() const { return members_.front(); }
  size_t size() const { return members_.size(); }

 private:
  std::vector<RewardModel> members_;
  EnsembleRule rule_;
};

}  // namespace keel
