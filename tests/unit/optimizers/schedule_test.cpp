// What transformers' schedules do not have: an end above zero (InstructGPT ends at 0.1 of the peak).
#include "keel/optimizers/schedule.h"

#include <gtest/gtest.h>

namespace keel {
namespace {

TEST(Schedule, EndsAtItsFinalShareOfThePeak) {
  for (const ScheduleKind kind : {ScheduleKind::linear, ScheduleKind::cosine}) {
    const Schedule schedule{kind, /*warmup_steps=*/4, /*total_steps=*/24, /*final_ratio=*/0.1};
    EXPECT_DOUBLE_EQ(schedule.multiplier(0), 0);
    EXPECT_DOUBLE_EQ(schedule.multiplier(2), 0.5);  // the warm-up starts from 0 whatever the end is
    EXPECT_DOUBLE_EQ(schedule.multiplier(4), 1);
    EXPECT_NEAR(schedule.multiplier(14), 0.55, 1e-12);
    EXPECT_NEAR(schedule.multiplier(24), 0.1, 1e-12);
  }
}

TEST(Schedule, AConstantRateHasNoEnd) {
  const Schedule schedule{ScheduleKind::constant, 0, 10, 0.1};
  EXPECT_DOUBLE_EQ(schedule.multiplier(0), 1);
  EXPECT_DOUBLE_EQ(schedule.multiplier(10), 1);
}

}  // namespace
}  // namespace keel
