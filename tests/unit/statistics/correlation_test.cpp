#include "keel/statistics/correlation.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "statistics/golden.h"

namespace keel {
namespace {

TEST(Correlation, EqualsScipyWithTies) {
  const Json golden = statistics_golden("correlation");
  const auto x = golden_list(golden, "x"), y = golden_list(golden, "y");
  const auto group = golden_list<int64_t>(golden, "group");
  EXPECT_EQ(average_ranks(x), golden_list(golden, "ranks"));
  EXPECT_NEAR(pearson(x, y).value(), golden["pearson"].get<double>(), 1e-12);
  EXPECT_NEAR(spearman(x, y).value(), golden["spearman"].get<double>(), 1e-12);
  EXPECT_NEAR(within_group_correlation(x, y, group).value(), golden["within_group"].get<double>(), 1e-12);
}

// Two judges that agree about which prompt is easy, and disagree about every sample of a prompt.
TEST(Correlation, WithinGroupsIgnoresTheGroups) {
  const std::vector<double> x = {1, 2, 11, 12, 21, 22}, y = {2, 1, 12, 11, 22, 21};
  const std::vector<int64_t> prompt = {0, 0, 1, 1, 2, 2};
  EXPECT_GT(pearson(x, y).value(), 0.98);
  EXPECT_NEAR(within_group_correlation(x, y, prompt).value(), -1, 1e-12);
}

TEST(Correlation, WhatNeverVariesHasNone) {
  const std::vector<double> constant(5, 0.1), varied = {1, 2, 3, 4, 5}, none;
  const std::vector<int64_t> alone = {0, 1, 2, 3, 4};
  EXPECT_FALSE(pearson(constant, varied).has_value());
  EXPECT_FALSE(spearman(varied, constant).has_value());
  EXPECT_FALSE(within_group_correlation(varied, varied, alone).has_value());
  EXPECT_FALSE(pearson(none, none).has_value());
  EXPECT_THROW(pearson(none, varied), Error);
}

}  // namespace
}  // namespace keel
