// How often readers and the reward model prefer the same completion, told after the fact, and how many
// rankings the reward model has not seen.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "keel/base/json.h"
#include "keel/feedback/store.h"

namespace keel {

/// Not thread-safe: its owner locks.
class RewardAgreement {
 public:
  /// `reward` may be empty.
  explicit RewardAgreement(std::function<std::optional<double>(int64_t completion)> reward)
      : reward_(std::move(reward)) {}

  /// A human judgement, once; what it corrects counts no more.
  void remember(const feedback::Receipt& receipt, const feedback::Judgement& judgement);

  /// {count, total, low, high} of the annotator's strict pairs that the model orders, too, with Wilson's 95 %
  /// interval; null without a model or pairs. `trained_event` names the model that answers now.
  Json of(int64_t annotator, int64_t trained_event);

  /// Human rankings behind an event.
  int64_t rankings_behind(int64_t event) const;

 private:
  using Pair = std::pair<int64_t, int64_t>;  // the better completion, the worse one

  std::optional<double> reward_of(int64_t completion);

  const std::function<std::optional<double>(int64_t)> reward_;
  std::map<int64_t, std::map<int64_t, std::vector<Pair>>> pairs_;  // annotator → judgement → strict pairs
  std::set<int64_t> rankings_;                                     // their events
  std::map<int64_t, std::optional<double>> rewards_;
  int64_t rewards_from_ = 0;  // the trained event of the model that gave them
};

}  // namespace keel
