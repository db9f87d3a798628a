#include "keel/statistics/resampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "keel/base/error.h"
#include "keel/base/random.h"
#include "keel/statistics/moments.h"

namespace keel {
namespace {

RandomSequence draws_of(int64_t resample, const Bootstrap& options) {
  return RandomSequence({.seed = options.seed,
                         .stream = Stream::bootstrap,
                         .step = options.purpose,
                         .prompt = static_cast<uint32_t>(resample)});
}

}  // namespace

std::vector<size_t> drawn_units(size_t units, int64_t resample, const Bootstrap& options) {
  RandomSequence draws = draws_of(resample, options);
  std::vector<size_t> drawn(units);
  for (auto& unit : drawn) unit = static_cast<size_t>(draws.below(static_cast<int64_t>(units)));
  return drawn;
}

std::vector<double> drawn_weights(size_t units, int64_t resample, const Bootstrap& options) {
  RandomSequence draws = draws_of(resample, options);
  std::vector<double> weights(units);
  for (auto& weight : weights) weight = -std::log(draws.uniform());
  return weights;
}

std::vector<std::vector<double>> resampled(const Bootstrap& options,
                                           const std::function<std::vector<double>(int64_t)>& statistics) {
  if (options.resamples < 2 || options.confidence <= 0 || options.confidence >= 1) {
    throw Error("bootstrap", "expected two or more resamples and a confidence inside (0, 1), got " +
                                 std::to_string(options.resamples) + " and " +
                                 std::to_string(options.confidence));
  }
  std::vector<std::vector<double>> lists;
  for (int64_t i = 0; i < options.resamples; ++i) {
    const auto values = statistics(i);
    lists.resize(values.size());
    for (size_t k = 0; k < values.size(); ++k) {
      if (!std::isnan(values[k])) lists[k].push_back(values[k]);
    }
  }
  for (auto& list : lists) std::sort(list.begin(), list.end());
  return lists;
}

Estimate percentile_estimate(double value, int64_t units, const std::vector<double>& sorted,
                             const Bootstrap& options) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (units < 2 || sorted.size() < 2) return {value, kInfinity, {-kInfinity, kInfinity}, units};
  const double tail = (1 - options.confidence) / 2;
  return {value, sample_deviation(sorted), {quantile(sorted, tail), quantile(sorted, 1 - tail)}, units};
}

double quantile(const std::vector<double>& sorted, double probability) {
  const double place = probability * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace keel
