// Uncertainty of counts and means: Wilson's interval, standard errors, and bootstraps that resample whole
// clusters. Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference"; Efron 1979,
// "Bootstrap Methods: Another Look at the Jackknife" (percentile intervals).
#pragma once

#include <cstdint>
#include <span>

namespace keel {

/// A closed range that holds the true value with a stated confidence (95 % unless said otherwise).
struct Interval {
  double low = 0;
  double high = 0;
};

/// Wilson's score interval of a proportion. No trials: the whole of [0, 1].
/// Errors: [wilson] when successes lie outside [0, trials].
Interval wilson(int64_t successes, int64_t trials, double z = 1.959964);

/// The difference of two shares of the same trials: `gained` came out right the second way alone, `lost` the
/// first way alone. Wald's interval with half a trial more in each of the four cells (Agresti & Min 2005,
/// "Simple improved confidence intervals for comparing matched proportions", section 3). No trials: [-1, 1].
/// Errors: [paired_difference] more that changed than there are trials.
Interval paired_difference(int64_t gained, int64_t lost, int64_t trials, double z = 1.959964);

/// An estimate, its standard error and interval, and the number of independent units behind it.
struct Estimate {
  double value = 0;
  double standard_error = 0;
  Interval interval = {};
  int64_t count = 0;
};

/// The mean with standard error s / sqrt(n) (s with n - 1) and the normal interval value ± z · error.
/// One value has no spread: its error is infinite. Errors: [mean_estimate] no values.
Estimate mean_estimate(std::span<const double> values, double z = 1.959964);

struct Bootstrap {
  uint64_t seed = 0;
  uint32_t purpose = 0;  // two bootstraps of one run use two numbers, so that they draw independently
  int64_t resamples = 2000;
  double confidence = 0.95;
};

/// Percentile bootstrap of a mean; units are the values themselves.
Estimate bootstrap_mean(std::span<const double> values, const Bootstrap& options);

/// The mean over all values when they come in clusters (samples of one prompt): whole clusters are resampled.
/// cluster[i] names the cluster of values[i]; any numbers, any order. `count` is the number of clusters.
Estimate cluster_bootstrap_mean(std::span<const double> values, std::span<const int64_t> cluster,
                                const Bootstrap& options);

/// The mean of after[i] - before[i]: unit i is measured under both.
Estimate paired_bootstrap_difference(std::span<const double> before, std::span<const double> after,
                                     const Bootstrap& options);

/// A group of values from one cluster.
struct Measured {
  std::span<const double> values;
  std::span<const int64_t> cluster;
};

/// mean(after) - mean(before) when both were measured on the same clusters, perhaps with different numbers of
/// values in each: a resample draws clusters and takes both sides' values of each one drawn.
/// Errors: the two sides name different clusters.
Estimate cluster_bootstrap_difference(const Measured& before, const Measured& after,
                                      const Bootstrap& options);

}  // namespace keel
