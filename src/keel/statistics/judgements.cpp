#include "keel/statistics/judgements.h"

#include <algorithm>
#include <string>

#include "keel/base/error.h"

namespace keel {

Names::Names(std::vector<int64_t> names) : sorted_(std::move(names)) {
  std::sort(sorted_.begin(), sorted_.end());
  sorted_.erase(std::unique(sorted_.begin(), sorted_.end()), sorted_.end());
}

size_t Names::position(int64_t name) const {
  return static_cast<size_t>(std::lower_bound(sorted_.begin(), sorted_.end(), name) - sorted_.begin());
}

Names contestants(std::span<const Battle> battles) {
  std::vector<int64_t> names;
  for (const auto& battle : battles) names.insert(names.end(), {battle.first, battle.second});
  return Names(std::move(names));
}

void check_battles(const char* where, std::span<const Battle> battles) {
  if (battles.empty()) throw Error(where, "expected at least one battle, got none: nothing was compared");
  for (const auto& battle : battles) {
    if (battle.first != battle.second && battle.outcome >= 0 && battle.outcome <= 1) continue;
    throw Error(where, "expected battles of two with an outcome in [0, 1], got " +
                           std::to_string(battle.first) + " against " + std::to_string(battle.second) +
                           " with " + std::to_string(battle.outcome));
  }
}

}  // namespace keel
