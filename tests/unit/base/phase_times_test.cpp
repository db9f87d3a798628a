#include "keel/base/phase_times.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "keel/base/products.h"

namespace keel {
namespace {

void rest() {
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

TEST(PhaseTimes, AddsUpByNameInTheOrderOfTheFirstMeeting) {
  PhaseTimes times;
  times.measure("rollout", rest);
  EXPECT_EQ(times.measure("update", [] { return 7; }), 7);
  const double once = times.phases().front().seconds;
  times.measure("rollout", rest);
  ASSERT_EQ(times.phases().size(), 2U);
  EXPECT_EQ(times.phases()[0].name, "rollout");
  EXPECT_GE(times.phases()[0].seconds, once + 0.002);
  times.clear();
  EXPECT_TRUE(times.phases().empty());
}

// What a phase asked of a device is waited for in that phase's time.
TEST(PhaseTimes, SettlesInThePhase) {
  PhaseTimes times(rest);
  EXPECT_EQ(times.measure("update", [] { return 7; }), 7);
  times.measure("score", [] {});
  ASSERT_EQ(times.phases().size(), 2U);
  for (const PhaseTimes::Phase& phase : times.phases()) EXPECT_GE(phase.seconds, 0.002) << phase.name;
}

TEST(PhaseTimes, CountsWorkThatThrows) {
  PhaseTimes times;
  EXPECT_THROW(times.measure("score", [] { throw std::runtime_error("stop"); }), std::runtime_error);
  EXPECT_EQ(times.phases().size(), 1U);
}

TEST(Products, AreCountedByAllThreads) {
  const double before = products_counted();
  std::thread other([] { count_products(3e9); });
  count_products(1e9);
  other.join();
  EXPECT_EQ(products_counted() - before, 4e9);
}

}  // namespace
}  // namespace keel
