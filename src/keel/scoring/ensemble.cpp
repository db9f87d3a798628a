#include "keel/scoring/ensemble.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/statistics/moments.h"

namespace keel {

EnsembleRule ensemble_rule(const std::string& name, double lambda) {
  using Kind = EnsembleRule::Kind;
  if (name == "mean") return {Kind::mean, lambda};
  if (name == "minimum") return {Kind::minimum, lambda};
  if (name == "mean_minus_deviation") return {Kind::mean_minus_deviation, lambda};
  throw UsageError("--ensemble", "expected mean, minimum or mean_minus_deviation, got " + name);
}

double combined_reward(std::span<const double> members, const EnsembleRule& rule) {
  if (rule.kind == EnsembleRule::Kind::minimum) return *std::min_element(members.begin(), members.end());
  if (rule.kind == EnsembleRule::Kind::mean) return mean(members);
  return mean(members) - rule.lambda * standard_deviation(members);
}

Score combined_score(std::span<const Score> members, const EnsembleRule& rule) {
  if (members.size() == 1) return members.front();
  Score score;
  for (const Score& member : members) score.parts.push_back(member.reward);
  score.reward = combined_reward(score.parts, rule);
  return score;
}

double disagreement(std::span<const Score> scores) {
  std::vector<double> deviations;
  for (const Score& score : scores)
    deviations.push_back(score.parts.empty() ? 0 : standard_deviation(score.parts));
  return mean(deviations);
}

RewardEnsemble::RewardEnsemble(std::vector<RewardModel> members, EnsembleRule rule)
    : members_(std::move(members)), rule_(rule) {}

void RewardEnsemble::score(std::span<const ScoredSample> samples, std::span<Score> scores) {
  std::vector<std::vector<Score>> by_sample(samples.size());
  std::vector<Score> of_member(samples.size());
  for (RewardModel& member : members_) {
    member.score(samples, of_member);
    for (size_t i = 0; i < samples.size(); ++i) by_sample[i].push_back(of_member[i]);
  }
  for (size_t i = 0; i < samples.size(); ++i) scores[i] = combined_score(by_sample[i], rule_);
}

}  // namespace keel
