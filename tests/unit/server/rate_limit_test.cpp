#include "keel/server/rate_limit.h"

#include <gtest/gtest.h>

namespace keel {
namespace {

TEST(RateLimit, GivesABurstThenASteadyRate) {
  RateLimit limit(3, 0.5);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.take("a", 10));
  EXPECT_FALSE(limit.take("a", 10));
  EXPECT_TRUE(limit.take("b", 10));  // others have their own
  EXPECT_FALSE(limit.take("a", 11.5));
  EXPECT_TRUE(limit.take("a", 12.5));
  EXPECT_FALSE(limit.take("a", 12.5));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.take("a", 1000));  // never more than the burst
  EXPECT_FALSE(limit.take("a", 1000));
}

TEST(RateLimit, WhatIsGivenBackDoesNotCount) {
  RateLimit limit(1, 0.001);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(limit.take("a", 0));
    limit.give_back("a");
  }
  EXPECT_TRUE(limit.take("a", 0));
  EXPECT_FALSE(limit.take("a", 0));
}

TEST(RateLimit, StrangersDoNotMakeItForgetWhoIsLockedOut) {
  RateLimit limit(1, 1e-9);
  for (size_t i = 0; i < RateLimit::kMostKeys - 1; ++i) limit.take("old " + std::to_string(i), 1);
  EXPECT_TRUE(limit.take("locked out", 2));
  for (int i = 0; i < 5000; ++i) limit.take("new " + std::to_string(i), 3);
  EXPECT_FALSE(limit.take("locked out", 4));
  EXPECT_TRUE(limit.take("old 0", 4));  // forgotten
}

}  // namespace
}  // namespace keel
