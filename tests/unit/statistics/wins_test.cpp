#include "keel/statistics/wins.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"

namespace keel {
namespace {

TEST(WinRate, CountsAndHalvesTies) {
  const std::vector<double> first = {1, 2, 3, 4, 5}, second = {0, 2, 4, 1, 1};
  const WinRate result = win_rate(first, second, {.seed = 1});
  EXPECT_EQ(result.wins, 3);
  EXPECT_EQ(result.ties, 1);
  EXPECT_EQ(result.losses, 1);
  EXPECT_NEAR(result.rate.value, 0.7, 1e-12);
  EXPECT_LT(result.rate.interval.low, 0.7);
  EXPECT_GT(result.rate.interval.high, 0.7);
}

TEST(WinRate, WinningEveryTimeIsNotCertainty) {
  const std::vector<double> ones(20, 1), zeros(20, 0), one = {1}, zero = {0};
  const Interval expected = wilson(20, 20);
  EXPECT_EQ(win_rate(ones, zeros, {.seed = 1}).rate.interval.low, expected.low);
  EXPECT_EQ(win_rate(zeros, ones, {.seed = 1}).rate.interval.high, wilson(0, 20).high);
  EXPECT_EQ(win_rate(one, zero, {.seed = 1}).rate.interval.low, wilson(1, 1).low);
  EXPECT_THROW(win_rate(one, ones, {}), Error);
}

}  // namespace
}  // namespace keel
