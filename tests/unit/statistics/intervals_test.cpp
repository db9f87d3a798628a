#include "keel/statistics/intervals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "keel/base/error.h"
#include "keel/base/random.h"
#include "statistics/golden.h"

namespace keel {
namespace {

// Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3 (Wilson's
// score without continuity correction).
TEST(Wilson, EqualsNewcombesPublishedIntervals) {
  const struct {
    int64_t successes, trials;
    double low, high;
  } rows[] = {
      {81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0.0, 0.1611}, {1, 29, 0.0061, 0.1718}};
  for (const auto& row : rows) {
    const Interval interval = wilson(row.successes, row.trials);
    EXPECT_NEAR(interval.low, row.low, 5e-5) << row.successes << "/" << row.trials;
    EXPECT_NEAR(interval.high, row.high, 5e-5) << row.successes << "/" << row.trials;
  }
}

TEST(Wilson, EqualsScipy) {
  for (const auto& row : statistics_golden("wilson")) {
    const Interval interval = wilson(row["successes"], row["trials"]);
    EXPECT_NEAR(interval.low, row["low"].get<double>(), 1e-7) << row;
    EXPECT_NEAR(interval.high, row["high"].get<double>(), 1e-7) << row;
  }
}

TEST(Wilson, StaysInsideZeroAndOneAndSaysWhatItCannotBe) {
  for (int64_t trials = 1; trials < 60; ++trials) {
    EXPECT_EQ(wilson(0, trials).low, 0);
    EXPECT_EQ(wilson(trials, trials).high, 1);
  }
  EXPECT_EQ(wilson(0, 0).low, 0);
  EXPECT_EQ(wilson(0, 0).high, 1);
  EXPECT_THROW(wilson(3, 2), Error);
  EXPECT_THROW(wilson(-1, 2), Error);
}

TEST(Mean, StandardErrorAndIntervalEqualScipy) {
  const Json golden = statistics_golden("means");
  const Estimate estimate = mean_estimate(golden_list(golden, "values"));
  EXPECT_NEAR(estimate.value, golden["mean"].get<double>(), 1e-12);
  EXPECT_NEAR(estimate.standard_error, golden["standard_error"].get<double>(), 1e-12);
  EXPECT_NEAR(estimate.interval.low, golden["low"].get<double>(), 1e-7);
  EXPECT_NEAR(estimate.interval.high, golden["high"].get<double>(), 1e-7);
  EXPECT_EQ(estimate.count, 60);
}

// Two bootstraps agree up to their own noise: with 20,000 resamples a standard error has one of about 0.5 %,
// a bound about 1.5 % of the standard error.
void expect_near_bootstrap(const Estimate& estimate, const Json& golden) {
  const double error = golden["standard_error"].get<double>();
  EXPECT_NEAR(estimate.standard_error, error, 0.03 * error);
  EXPECT_NEAR(estimate.interval.low, golden["low"].get<double>(), 0.08 * error);
  EXPECT_NEAR(estimate.interval.high, golden["high"].get<double>(), 0.08 * error);
}

TEST(Bootstrap, MeanAndPairedDifferenceAgreeWithScipy) {
  const Json golden = statistics_golden("means");
  const Bootstrap options{.seed = 11, .resamples = 20000};
  expect_near_bootstrap(bootstrap_mean(golden_list(golden, "values"), options), golden["bootstrap"]);
  const auto before = golden_list(golden, "before"), after = golden_list(golden, "after");
  expect_near_bootstrap(paired_bootstrap_difference(before, after, options), golden["paired"]);
}

TEST(Bootstrap, ClustersAreResampledWhole) {
  const Json golden = statistics_golden("clusters");
  const auto values = golden_list(golden["before"], "values"), later = golden_list(golden["after"], "values");
  const auto cluster = golden_list<int64_t>(golden["before"], "cluster");
  const auto later_cluster = golden_list<int64_t>(golden["after"], "cluster");
  const Bootstrap options{.seed = 5, .resamples = 20000};
  const Estimate mean = cluster_bootstrap_mean(values, cluster, options);
  EXPECT_NEAR(mean.value, golden["mean"]["value"].get<double>(), 1e-12);
  expect_near_bootstrap(mean, golden["mean"]);
  EXPECT_EQ(mean.count, 25);
  const Estimate difference =
      cluster_bootstrap_difference({values, cluster}, {later, later_cluster}, options);
  EXPECT_NEAR(difference.value, golden["difference"]["value"].get<double>(), 1e-12);
  expect_near_bootstrap(difference, golden["difference"]);
  // Samples of one prompt taken as independent would claim a much smaller error.
  EXPECT_LT(bootstrap_mean(values, options).standard_error, 0.75 * mean.standard_error);
}

TEST(Bootstrap, IsAFunctionOfItsKeyAndNotOfTheOrderOfClusters) {
  const Json golden = statistics_golden("clusters")["before"];
  auto values = golden_list(golden, "values");
  auto cluster = golden_list<int64_t>(golden, "cluster");
  const Bootstrap options{.seed = 3, .resamples = 200};
  const double first = cluster_bootstrap_mean(values, cluster, options).interval.low;
  EXPECT_EQ(cluster_bootstrap_mean(values, cluster, options).interval.low, first);
  EXPECT_GT(
      std::abs(cluster_bootstrap_mean(values, cluster, {.seed = 4, .resamples = 200}).interval.low - first),
      1e-6);
  const Bootstrap other_purpose{.seed = 3, .purpose = 1, .resamples = 200};
  EXPECT_GT(std::abs(cluster_bootstrap_mean(values, cluster, other_purpose).interval.low - first), 1e-6);
  std::reverse(values.begin(), values.end());
  std::reverse(cluster.begin(), cluster.end());
  EXPECT_NEAR(cluster_bootstrap_mean(values, cluster, options).interval.low, first, 1e-12);
}

TEST(Bootstrap, IntervalsCoverTheTruthAboutAsOftenAsTheySay) {
  int covered = 0;
  const int trials = 400;
  for (uint32_t trial = 0; trial < trials; ++trial) {
    RandomSequence draws({.seed = 99, .step = trial});
    std::vector<double> values(60);
    for (auto& value : values) value = 2 + draws.normal();
    const Interval interval = bootstrap_mean(values, {.seed = trial, .resamples = 300}).interval;
    covered += interval.low <= 2 && 2 <= interval.high;
  }
  // 95 % of 400 is 380 ± 4.4; percentile intervals of 60 values cover a little less
  EXPECT_GE(covered, 362);
  EXPECT_LE(covered, 394);
}

// Exact coverage: the probability of every outcome of 25 trials is added up where the interval holds the
// truth.
TEST(PairedDifference, CoversTheTrueDifference) {
  constexpr int64_t kTrials = 25;
  for (const auto& [gains, losses] : {std::pair{0.3, 0.1}, {0.2, 0.2}, {0.1, 0.05}, {0.5, 0.1}}) {
    double covered = 0;
    for (int64_t b = 0; b <= kTrials; ++b)
      for (int64_t c = 0; b + c <= kTrials; ++c) {
        const int64_t rest = kTrials - b - c;
        const double log_ways =
            std::lgamma(kTrials + 1) - std::lgamma(b + 1) - std::lgamma(c + 1) - std::lgamma(rest + 1);
        const double probability = std::exp(log_ways + b * std::log(gains) + c * std::log(losses) +
                                            rest * std::log(1 - gains - losses));
        const Interval interval = paired_difference(b, c, kTrials);
        if (interval.low <= gains - losses && gains - losses <= interval.high) covered += probability;
      }
    EXPECT_GT(covered, 0.93) << gains << " " << losses;
    EXPECT_LT(covered, 0.985) << gains << " " << losses;
  }
}

TEST(PairedDifference, IsOfTheTrialsThatChanged) {
  const Interval gain = paired_difference(30, 10, 100);
  EXPECT_NEAR((gain.low + gain.high) / 2, 20.0 / 102, 1e-12);
  EXPECT_GT(gain.low, 0);
  EXPECT_NEAR(paired_difference(10, 30, 100).high, -gain.low, 1e-12);
  EXPECT_LT(paired_difference(4, 3, 100).low, 0);
  EXPECT_EQ(paired_difference(0, 0, 0).high, 1);
  EXPECT_THROW(paired_difference(60, 60, 100), Error);
}

TEST(Bootstrap, OneUnitHasNoInterval) {
  const std::vector<double> values = {1, 2, 3};
  const std::vector<int64_t> one_prompt = {4, 4, 4};
  const Estimate estimate = cluster_bootstrap_mean(values, one_prompt, {.seed = 1});
  EXPECT_EQ(estimate.value, 2);
  EXPECT_EQ(estimate.count, 1);
  EXPECT_EQ(estimate.interval.high, std::numeric_limits<double>::infinity());
  EXPECT_EQ(mean_estimate(std::vector<double>{3}).interval.low, -std::numeric_limits<double>::infinity());
}

TEST(Bootstrap, RefusesWhatCannotBeMeasured) {
  const std::vector<double> two = {1, 2}, three = {1, 2, 3}, none;
  const std::vector<int64_t> ab = {1, 2}, ac = {1, 3};
  EXPECT_THROW(bootstrap_mean(none, {}), Error);
  EXPECT_THROW(paired_bootstrap_difference(two, three, {}), Error);
  EXPECT_THROW(cluster_bootstrap_difference({two, ab}, {two, ac}, {}), Error);
  EXPECT_THROW(bootstrap_mean(two, {.resamples = 0}), Error);
  EXPECT_THROW(bootstrap_mean(two, {.confidence = 1}), Error);
}

}  // namespace
}  // namespace keel
