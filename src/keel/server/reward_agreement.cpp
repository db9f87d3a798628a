#include "keel/server/reward_agreement.h"

#include "keel/statistics/intervals.h"

namespace keel {

void RewardAgreement::remember(const feedback::Receipt& receipt, const feedback::Judgement& judgement) {
  auto& own = pairs_[judgement.annotator];
  if (judgement.corrects) own.erase(*judgement.corrects);
  if (judgement.type != feedback::JudgementType::ranking) return;
  rankings_.insert(receipt.event);
  std::vector<Pair> pairs;
  for (size_t i = 0; i < judgement.ranks.size(); ++i)
    for (size_t j = 0; j < judgement.ranks.size(); ++j)
      if (judgement.ranks[i] < judgement.ranks[j])
        pairs.emplace_back(judgement.completions[i], judgement.completions[j]);
  own[receipt.judgement] = std::move(pairs);
}

Json RewardAgreement::of(int64_t annotator, int64_t trained_event) {
  if (!reward_) return nullptr;
  if (trained_event != rewards_from_) {
    rewards_.clear();
    rewards_from_ = trained_event;
  }
  int64_t count = 0, total = 0;
  for (const auto& [judgement, pairs] : pairs_[annotator])
    for (const auto& [better, worse] : pairs) {
      const std::optional<double> high = reward_of(better), low = reward_of(worse);
      if (!high || !low || *high == *low) continue;
      ++total;
      count += *high > *low;
    }
  if (total == 0) return nullptr;
  const Interval interval = wilson(count, total);
  return {{"count", count}, {"total", total}, {"low", interval.low}, {"high", interval.high}};
}

int64_t RewardAgreement::rankings_behind(int64_t event) const {
  return std::distance(rankings_.upper_bound(event), rankings_.end());
}

std::optional<double> RewardAgreement::reward_of(int64_t completion) {
  const auto found = rewards_.find(completion);
  if (found != rewards_.end()) return found->second;
  return rewards_[completion] = reward_(completion);
}

}  // namespace keel
