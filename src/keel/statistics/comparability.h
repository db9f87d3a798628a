// Who can be compared with whom. A Bradley-Terry difference has a finite estimate exactly where each side
// beat the other, directly or by way of others: Zermelo 1929; Ford 1957, "Solution of a ranking problem from
// binary comparisons".
#pragma once

#include <span>
#include <vector>

#include "keel/statistics/judgements.h"

namespace keel {

/// One entry for each contestant, by name.
struct Comparability {
  std::vector<int64_t> names;
  /// Equal numbers: compared, directly or by way of others. Between components nothing is known.
  std::vector<size_t> component = {};
  /// Equal numbers: each won against the other, or tied, directly or by way of others. Within a component a
  /// lower number never lost to a higher one, so that the difference has no finite estimate.
  std::vector<size_t> tier = {};
  size_t components = 0, tiers = 0;
  /// Whether all differences within components have finite estimates.
  bool finite() const { return components == tiers; }
};

/// Errors: [comparability] as check_battles.
Comparability comparability(std::span<const Battle> battles);

}  // namespace keel
