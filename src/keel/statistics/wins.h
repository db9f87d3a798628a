// Duels of two models on the same prompts, decided by a score.
#pragma once

#include <cstdint>
#include <span>

#include "keel/statistics/intervals.h"

namespace keel {

struct WinRate {
  int64_t wins = 0, ties = 0, losses = 0;
  /// (wins + ties / 2) / prompts, with the bootstrap's interval over prompts. A one-sided result has no
  /// spread to resample: the interval is then at least as wide as Wilson's.
  Estimate rate;
};

/// first[i] and second[i] are the scores of the two models' answers to prompt i; equal scores tie.
/// Errors: [win_rate] no prompts, or lists of unequal length.
WinRate win_rate(std::span<const double> first, std::span<const double> second, const Bootstrap& options);

}  // namespace keel
