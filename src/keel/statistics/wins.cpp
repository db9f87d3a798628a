#include "keel/statistics/wins.h"

#include <algorithm>
#include <string>
#include <vector>

#include "keel/base/error.h"

namespace keel {

WinRate win_rate(std::span<const double> first, std::span<const double> second, const Bootstrap& options) {
  if (first.empty() || first.size() != second.size()) {
    throw Error("win_rate", "expected two scores for each prompt, got " + std::to_string(first.size()) +
                                " and " + std::to_string(second.size()));
  }
  WinRate result;
  std::vector<double> outcomes;
  for (size_t i = 0; i < first.size(); ++i) {
    const bool won = first[i] > second[i], lost = first[i] < second[i];
    result.wins += won, result.losses += lost;
    outcomes.push_back(won ? 1 : lost ? 0 : 0.5);
  }
  const auto n = static_cast<int64_t>(first.size());
  result.ties = n - result.wins - result.losses;
  result.rate = bootstrap_mean(outcomes, options);
  if (result.wins == n || result.losses == n || n == 1) {
    const Interval sure = wilson(result.wins, n);
    const Interval drawn = result.rate.interval;
    result.rate.interval =
        n == 1 ? sure : Interval{std::min(sure.low, drawn.low), std::max(sure.high, drawn.high)};
  }
  return result;
}

}  // namespace keel
