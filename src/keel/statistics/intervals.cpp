#include "keel/statistics/intervals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "keel/base/error.h"
#include "keel/statistics/moments.h"
#include "keel/statistics/resampling.h"

namespace keel {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What a resample needs of one cluster: a mean over clusters is a ratio of two sums.
struct ClusterSums {
  double before_sum = 0, after_sum = 0;
  double before_count = 0, after_count = 0;

  void add(const ClusterSums& other) {
    before_sum += other.before_sum, after_sum += other.after_sum;
    before_count += other.before_count, after_count += other.after_count;
  }
  // mean(after) - mean(before), where a side that was never measured counts as zero
  double difference() const {
    return after_sum / after_count - (before_count > 0 ? before_sum / before_count : 0.0);
  }
};

void check_sizes(const char* where, size_t first, size_t second) {
  if (first == second) return;
  throw Error(where, "expected two lists of one length, got " + std::to_string(first) + " and " +
                         std::to_string(second) + " values: measure every unit on both sides");
}

void check_not_empty(const char* where, size_t count) {
  if (count == 0) throw Error(where, "expected at least one value, got none: nothing was measured");
}

Estimate bootstrap(const std::vector<ClusterSums>& clusters, const Bootstrap& options) {
  ClusterSums all;
  for (const auto& cluster : clusters) all.add(cluster);
  const auto drawn = resampled(options, [&](int64_t resample) {
    ClusterSums total;
    for (const size_t unit : drawn_units(clusters.size(), resample, options)) total.add(clusters[unit]);
    return std::vector<double>{total.difference()};
  });
  return percentile_estimate(all.difference(), static_cast<int64_t>(clusters.size()), drawn[0], options);
}

std::vector<ClusterSums> sums_in_order(const std::map<int64_t, ClusterSums>& by_name) {
  std::vector<ClusterSums> clusters;
  for (const auto& [name, sums] : by_name) clusters.push_back(sums);
  return clusters;
}

}  // namespace

Interval wilson(int64_t successes, int64_t trials, double z) {
  if (successes < 0 || successes > trials) {
    throw Error("wilson", "expected successes between 0 and the trials, got " + std::to_string(successes) +
                              " of " + std::to_string(trials));
  }
  if (trials == 0) return {0, 1};
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n;
  const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  // At 0 and n the bound is exact; rounding must not put it outside [0, 1].
  return {successes == 0 ? 0 : centre - half, successes == trials ? 1 : centre + half};
}

Interval paired_difference(int64_t gained, int64_t lost, int64_t trials, double z) {
  if (gained < 0 || lost < 0 || gained + lost > trials)
    throw Error("paired_difference", "expected at most " + std::to_string(trials) + " that changed, got " +
                                         std::to_string(gained) + " and " + std::to_string(lost));
  if (trials == 0) return {-1, 1};
  const double n = static_cast<double>(trials) + 2;
  const double b = static_cast<double>(gained) + 0.5, c = static_cast<double>(lost) + 0.5;
  const double centre = (b - c) / n;
  const double half = z * std::sqrt(b + c - (b - c) * (b - c) / n) / n;
  return {std::max(-1.0, centre - half), std::min(1.0, centre + half)};
}

Estimate mean_estimate(std::span<const double> values, double z) {
  check_not_empty("mean_estimate", values.size());
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  const auto count = static_cast<int64_t>(values.size());
  if (count < 2) return {mean, kInfinity, {-kInfinity, kInfinity}, count};
  const double error = sample_deviation(values) / std::sqrt(n);
  return {mean, error, {mean - z * error, mean + z * error}, count};
}

Estimate bootstrap_mean(std::span<const double> values, const Bootstrap& options) {
  check_not_empty("bootstrap_mean", values.size());
  std::vector<ClusterSums> units;
  for (const double value : values) units.push_back({.after_sum = value, .after_count = 1});
  return bootstrap(units, options);
}

Estimate cluster_bootstrap_mean(std::span<const double> values, std::span<const int64_t> cluster,
                                const Bootstrap& options) {
  check_not_empty("cluster_bootstrap_mean", values.size());
  check_sizes("cluster_bootstrap_mean", values.size(), cluster.size());
  std::map<int64_t, ClusterSums> by_name;
  for (size_t i = 0; i < values.size(); ++i) {
    by_name[cluster[i]].add({.after_sum = values[i], .after_count = 1});
  }
  return bootstrap(sums_in_order(by_name), options);
}

Estimate paired_bootstrap_difference(std::span<const double> before, std::span<const double> after,
                                     const Bootstrap& options) {
  check_not_empty("paired_bootstrap_difference", before.size());
  check_sizes("paired_bootstrap_difference", before.size(), after.size());
  std::vector<double> differences;
  for (size_t i = 0; i < before.size(); ++i) differences.push_back(after[i] - before[i]);
  return bootstrap_mean(differences, options);
}

Estimate cluster_bootstrap_difference(const Measured& before, const Measured& after,
                                      const Bootstrap& options) {
  const char* where = "cluster_bootstrap_difference";
  check_not_empty(where, before.values.size());
  check_sizes(where, before.values.size(), before.cluster.size());
  check_sizes(where, after.values.size(), after.cluster.size());
  std::map<int64_t, ClusterSums> by_name;
  for (size_t i = 0; i < before.values.size(); ++i) {
    by_name[before.cluster[i]].add({.before_sum = before.values[i], .before_count = 1});
  }
  for (size_t i = 0; i < after.values.size(); ++i) {
    by_name[after.cluster[i]].add({.after_sum = after.values[i], .after_count = 1});
  }
  for (const auto& [name, sums] : by_name) {
    if (sums.before_count == 0 || sums.after_count == 0) {
      throw Error(where, "expected values on both sides of cluster " + std::to_string(name) + ", got " +
                             std::to_string(static_cast<int64_t>(sums.before_count)) + " before and " +
                             std::to_string(static_cast<int64_t>(sums.after_count)) + " after");
    }
  }
  return bootstrap(sums_in_order(by_name), options);
}

}  // namespace keel
