#include "keel/statistics/comparability.h"

#include <gtest/gtest.h>

#include <utility>

#include "keel/base/error.h"

namespace keel {
namespace {

Battle won(int64_t winner, int64_t loser) {
  return {.first = winner, .second = loser, .outcome = 1};
}

TEST(Comparability, ACircleOfWinsIsOneTier) {
  const std::vector<Battle> battles = {won(5, 3), won(3, 9), won(9, 5)};
  const auto who = comparability(battles);
  EXPECT_EQ(who.names, (std::vector<int64_t>{3, 5, 9}));
  EXPECT_EQ(who.components, 1u);
  EXPECT_EQ(who.tiers, 1u);
  EXPECT_TRUE(who.finite());
}

TEST(Comparability, WhoNeverLostStandsAboveInATierOfItsOwn) {
  const std::vector<Battle> battles = {won(2, 3), won(3, 2), won(1, 2), won(3, 4)};
  const auto who = comparability(battles);
  EXPECT_EQ(who.components, 1u);
  EXPECT_EQ(who.tier, (std::vector<size_t>{0, 1, 1, 2}));
  EXPECT_FALSE(who.finite());
}

TEST(Comparability, ATieCountsForBoth) {
  std::vector<Battle> battles = {won(1, 2), {.first = 2, .second = 1, .outcome = 0.5}};
  EXPECT_TRUE(comparability(battles).finite());
  std::swap(battles[1].first, battles[1].second);
  EXPECT_TRUE(comparability(battles).finite());
  std::swap(battles[1].first, battles[1].second);
  battles[1].outcome = 0;
  EXPECT_FALSE(comparability(battles).finite());
}

TEST(Comparability, WhatNeverMetByWayOfOthersIsApart) {
  const std::vector<Battle> battles = {won(1, 2), won(2, 1), won(3, 4), won(4, 3), won(4, 5), won(5, 4)};
  const auto who = comparability(battles);
  EXPECT_EQ(who.component, (std::vector<size_t>{0, 0, 1, 1, 1}));
  EXPECT_TRUE(who.finite());
  EXPECT_THROW(comparability(std::vector<Battle>{}), Error);
}

TEST(Comparability, LongChainsNeedNoStack) {
  std::vector<Battle> battles;
  for (int64_t i = 0; i < 200'000; ++i) battles.push_back(won(i, i + 1));
  EXPECT_EQ(comparability(battles).tiers, 200'001u);
  battles.push_back(won(200'000, 0));
  EXPECT_EQ(comparability(battles).tiers, 1u);
}

}  // namespace
}  // namespace keel
