#include "keel/statistics/poison_budget.h"

#include <gtest/gtest.h>

#include <bit>

#include "keel/base/error.h"
#include "keel/statistics/bradley_terry.h"
#include "statistics/battles.h"

namespace keel {
namespace {

// Annotators 1, 2, … : wins of contestant 7 over 8, and losses.
std::vector<Battle> counted(const std::vector<std::pair<int, int>>& wins_and_losses) {
  std::vector<Battle> battles;
  for (size_t a = 0; a < wins_and_losses.size(); ++a) {
    const auto annotator = static_cast<int64_t>(a + 1);
    for (int i = 0; i < wins_and_losses[a].first; ++i)
      battles.push_back({.first = 7, .second = 8, .outcome = 1, .annotator = annotator});
    for (int i = 0; i < wins_and_losses[a].second; ++i)
      battles.push_back({.first = 8, .second = 7, .outcome = 1, .annotator = annotator});
  }
  return battles;
}

using Few = std::vector<int64_t>;

TEST(PoisonBudget, AWinRateIsCarriedByWhoeverContributesMost) {
  const auto battles = counted({{10, 2}, {4, 4}, {9, 4}, {1, 6}});  // 24 to 16: leads 8, 0, 5, -5
  const Conclusion better = win_rate_conclusion(battles, 7, 8);
  EXPECT_EQ(better.measure, 8);
  EXPECT_EQ(better.budget.annotators, (Few{1}));
  EXPECT_TRUE(better.budget.exact);
  EXPECT_EQ(better.left_out[3].without, 13);
  EXPECT_EQ(better.left_out[1].battles, 8);
  const Conclusion worse = win_rate_conclusion(battles, 8, 7);
  EXPECT_EQ(worse.measure, -8);
  EXPECT_EQ(worse.budget.annotators, (Few{1}));
  EXPECT_EQ(win_rate_conclusion(counted({{6, 1}, {5, 1}, {2, 4}}), 7, 8).budget.annotators, (Few{1, 2}));
  EXPECT_TRUE(win_rate_conclusion(counted({{1, 1}}), 7, 8).budget.annotators.empty());
}

// Random stores of 6 contestants and 9 annotators, of unequal diligence.
std::vector<Battle> simulated(uint32_t store) {
  RandomSequence draws({.seed = 9, .stream = Stream::annotators, .prompt = store});
  std::vector<Battle> battles;
  for (int i = 0; i < 150; ++i) {
    const int64_t first = draws.below(6), second = (first + 1 + draws.below(5)) % 6;
    const int64_t annotator = draws.below(1 + draws.below(9));
    const double lead = 0.3 * static_cast<double>(first - second) * (annotator % 3 == 0 ? 2 : -0.4);
    battles.push_back(
        {.first = first, .second = second, .outcome = battle_outcome(lead, draws), .annotator = annotator});
  }
  return battles;
}

// Every subset of annotators, fitted by bradley_terry itself.
int64_t smallest_by_trying(const std::vector<Battle>& battles, int64_t first, int64_t second, double whole) {
  int64_t smallest = 100;
  for (uint32_t left_out = 1; left_out < (1u << 9); ++left_out) {
    std::vector<Battle> kept;
    for (const Battle& battle : battles)
      if (!(left_out >> battle.annotator & 1)) kept.push_back(battle);
    double difference = 0;
    const Names names = contestants(kept);
    const auto has = [&](int64_t name) {
      return std::binary_search(names.sorted().begin(), names.sorted().end(), name);
    };
    if (!kept.empty()) {
      const auto fit = bradley_terry(kept, {.prior_deviation = 3});
      const auto of = [&](int64_t name) { return has(name) ? fit.strengths[names.position(name)] : 0; };
      difference = of(first) - of(second);
    }
    if (difference * whole <= 1e-9) smallest = std::min<int64_t>(smallest, std::popcount(left_out));
  }
  return smallest;
}

TEST(PoisonBudget, TheSmallestSetIsFoundAndTheGreedyOneIsNoSmaller) {
  for (uint32_t store = 0; store < 4; ++store) {
    const auto battles = simulated(store);
    const Conclusion exact = bradley_terry_conclusion(battles, 4, 1);
    EXPECT_TRUE(exact.budget.exact);
    EXPECT_EQ(std::ssize(exact.budget.annotators), smallest_by_trying(battles, 4, 1, exact.measure)) << store;
    const Conclusion bound = bradley_terry_conclusion(battles, 4, 1, 3, /*most_fits=*/0);
    EXPECT_GE(bound.budget.annotators.size(), exact.budget.annotators.size());
    EXPECT_LE(bound.budget.at_least, std::ssize(exact.budget.annotators));
    EXPECT_EQ(bound.budget.exact, bound.budget.annotators.size() == 1);
  }
}

TEST(PoisonBudget, LeavingOneOutIsAFitWithoutTheirBattles) {
  const auto battles = simulated(1);
  const Conclusion conclusion = bradley_terry_conclusion(battles, 4, 1);
  for (const LeftOut& one : conclusion.left_out) {
    std::vector<Battle> kept;
    for (const Battle& battle : battles)
      if (battle.annotator != one.annotator) kept.push_back(battle);
    const auto fit = bradley_terry(kept, {.prior_deviation = 3});
    EXPECT_NEAR(one.without, fit.strengths[4] - fit.strengths[1], 1e-7) << one.annotator;
  }
}

TEST(PoisonBudget, ContestantsWithoutBattlesAreRefused) {
  EXPECT_THROW(bradley_terry_conclusion(counted({{1, 0}}), 7, 9), Error);
  EXPECT_THROW(win_rate_conclusion({}, 7, 8), Error);
}

}  // namespace
}  // namespace keel
