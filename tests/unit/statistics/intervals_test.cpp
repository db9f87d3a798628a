#include "keel/statistics/intervals.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"

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

}  // namespace
}  // namespace keel
