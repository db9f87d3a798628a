#include "keel/statistics/exact_tests.h"

#include <gtest/gtest.h>

#include "keel/statistics/beta_distribution.h"
#include "statistics/golden.h"

namespace keel {
namespace {

TEST(BetaDistribution, QuantilesEqualScipys) {
  const Json beta_quantiles_golden = statistics_golden_file("annotators").at("beta_quantiles");
  for (const Json& row : beta_quantiles_golden)
    EXPECT_NEAR(beta_quantile(row[0], row[1], row[2]), row[3].get<double>(), 1e-10) << row;
}

TEST(BetaDistribution, AnIntervalHoldsItsShare) {
  const Interval interval = beta_interval(8, 3, 0.9);
  EXPECT_NEAR(beta_probability(8, 3, interval.high) - beta_probability(8, 3, interval.low), 0.9, 1e-12);
  EXPECT_NEAR(beta_probability(8, 3, interval.low), 0.05, 1e-12);
  EXPECT_EQ(beta_probability(8, 3, 0), 0);
  EXPECT_EQ(beta_probability(8, 3, 1), 1);
}

TEST(ExactTests, BinomialTailsEqualScipys) {
  const Json golden = statistics_golden_file("tests");
  for (const Json& row : golden.at("binomial_at_least"))
    EXPECT_NEAR(binomial_at_least(row[0], row[1], row[2]), row[3].get<double>(), 1e-10) << row;
  for (const Json& row : golden.at("fair_coin"))
    EXPECT_NEAR(fair_coin_test(row[0], row[1]), row[2].get<double>(), 1e-10) << row;
}

TEST(ExactTests, TrialsWithChancesOfTheirOwnEqualScipys) {
  const Json successes_golden = statistics_golden_file("tests").at("successes");
  for (const Json& row : successes_golden)
    EXPECT_NEAR(successes_at_least(row[0], row[1].get<std::vector<double>>()), row[2].get<double>(), 1e-12)
        << row;
  EXPECT_EQ(successes_at_least(3, std::vector<double>{0.5}), 0);
}

TEST(ExactTests, FishersEqualScipys) {
  const Json fisher_golden = statistics_golden_file("tests").at("fisher");
  for (const Json& row : fisher_golden) {
    const TwoGroups counts{row[0], row[1], row[2], row[3]};
    EXPECT_NEAR(fisher_greater(counts), row[4].get<double>(), 1e-10) << row;
    EXPECT_NEAR(fisher_two_sided(counts), row[5].get<double>(), 1e-10) << row;
  }
}

TEST(ExactTests, HolmsCorrectionEqualsStatsmodels) {
  const Json golden = statistics_golden_file("tests").at("holm");
  const auto corrected = holm(golden[0].get<std::vector<double>>());
  for (size_t i = 0; i < corrected.size(); ++i)
    EXPECT_NEAR(corrected[i], golden[1][i].get<double>(), 1e-12) << i;
}

}  // namespace
}  // namespace keel
