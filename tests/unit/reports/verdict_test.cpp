#include "keel/reports/verdict.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace keel {
namespace {

Comparison with_interval(double low, double high) {
  const double middle = (low + high) / 2;
  return {.before = 3.5,
          .after = 3.5 + middle,
          .gold_difference = {middle, (high - low) / 3.92, {low, high}, 256}};
}

bool says(const Verdict& verdict, const char* words) {
  return verdict.sentence.find(words) != std::string::npos;
}

TEST(Verdict, ImprovedOnlyWhenTheWholeIntervalIsAboveZero) {
  const Verdict verdict = judge(with_interval(0.01, 1.99));
  EXPECT_EQ(verdict.outcome, Outcome::improved);
  EXPECT_EQ(verdict.sentence,
            "PPO improved the model: by the gold judge, its mean score went from 3.50 to 4.50, a difference "
            "of 1.00 "
            "(95 % interval 0.01 to 1.99) over 256 held-out prompts.");
  EXPECT_TRUE(verdict.warning.empty());
  Comparison of_dpo = with_interval(0.01, 1.99);
  of_dpo.policy = "DPO";
  EXPECT_TRUE(says(judge(of_dpo), "DPO improved the model"));
}

TEST(Verdict, DidNotImproveWhenTheWholeIntervalIsAtOrBelowZero) {
  for (const auto& comparison : {with_interval(-2, -0.1), with_interval(-2, 0), with_interval(0, 0)}) {
    const Verdict verdict = judge(comparison);
    EXPECT_EQ(verdict.outcome, Outcome::did_not_improve);
    EXPECT_TRUE(says(verdict, "did not improve the model: by the gold judge")) << verdict.sentence;
  }
}

TEST(Verdict, NoiseIsCalledNoiseAndClaimsNothing) {
  for (const auto& comparison : {with_interval(-0.5, 0.5), with_interval(0, 1), with_interval(-1, 0.01)}) {
    const Verdict verdict = judge(comparison);
    EXPECT_EQ(verdict.outcome, Outcome::cannot_be_told);
    EXPECT_TRUE(says(verdict, "did not improve") && says(verdict, "told from noise")) << verdict.sentence;
  }
}

TEST(Verdict, OneUnitOrNoNumberIsNoImprovement) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(judge(with_interval(-infinity, infinity)).outcome,
            Outcome::not_measured);  // its middle is no number
  EXPECT_EQ(judge(Comparison{1, 2, {1, infinity, {-infinity, infinity}, 1}}).outcome,
            Outcome::cannot_be_told);
  EXPECT_EQ(judge(with_interval(std::nan(""), 1)).outcome, Outcome::not_measured);
  EXPECT_EQ(judge(std::nullopt).outcome, Outcome::not_measured);
  EXPECT_TRUE(says(judge(std::nullopt), "no verdict"));
}

TEST(Verdict, WarnsWhenOnlyTheRewardModelIsPleased) {
  Comparison comparison = with_interval(-1, 0.1);
  comparison.proxy_difference = Estimate{2, 0.1, {1.8, 2.2}, 256};
  EXPECT_NE(judge(comparison).warning.find("2.00 (1.80 to 2.20)"), std::string::npos);
  comparison.proxy_difference->interval.low = -0.1;
  EXPECT_TRUE(judge(comparison).warning.empty());
  Comparison improved = with_interval(0.1, 1);
  improved.proxy_difference = Estimate{2, 0.1, {1.8, 2.2}, 256};
  EXPECT_TRUE(judge(improved).warning.empty());
}

}  // namespace
}  // namespace keel
