// Bootstraps of any statistic. Efron 1979, "Bootstrap Methods: Another Look at the Jackknife" (units drawn
// with replacement, percentile intervals); Rubin 1981, "The Bayesian Bootstrap" (units weighted).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "keel/statistics/intervals.h"

namespace keel {

/// The units of a resample: `units` draws from [0, units), in the order in which they were drawn.
std::vector<size_t> drawn_units(size_t units, int64_t resample, const Bootstrap& options);

/// Rubin's weights of the units, independent exponentials of mean 1. All are above 0, so that no resample
/// loses the one unit without which a statistic does not exist.
std::vector<double> drawn_weights(size_t units, int64_t resample, const Bootstrap& options);

/// What the resamples 0, 1, … say of one or more statistics: a sorted list for each statistic. NaN stands for
/// a statistic that a resample does not have, and is left out.
/// Errors: [bootstrap] fewer than two resamples or a confidence outside (0, 1).
std::vector<std::vector<double>> resampled(const Bootstrap& options,
                                           const std::function<std::vector<double>(int64_t)>& statistics);

/// The value with the deviation and the percentile interval of its sorted resamples. `units` are what was
/// resampled: one unit says nothing about the spread between units, so its interval is infinite.
Estimate percentile_estimate(double value, int64_t units, const std::vector<double>& sorted,
                             const Bootstrap& options);

/// The quantile between order statistics by linear interpolation (type 7 of Hyndman and Fan 1996, numpy's
/// default).
double quantile(const std::vector<double>& sorted, double probability);

}  // namespace keel
