#include "keel/scoring/ensemble.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"

namespace keel {
namespace {

// 2, 4, 4, 4, 5, 5, 7, 9 have the mean 5 and the deviation 2 over n.
const std::vector<double> kMembers = {2, 4, 4, 4, 5, 5, 7, 9};

TEST(Ensemble, MeanMinimumAndMeanLessDeviations) {
  EXPECT_EQ(combined_reward(kMembers, ensemble_rule("mean", 1)), 5);
  EXPECT_EQ(combined_reward(kMembers, ensemble_rule("minimum", 1)), 2);
  EXPECT_EQ(combined_reward(kMembers, ensemble_rule("mean_minus_deviation", 1)), 3);
  EXPECT_EQ(combined_reward(kMembers, ensemble_rule("mean_minus_deviation", 1.5)), 2);
  EXPECT_EQ(combined_reward(kMembers, ensemble_rule("mean_minus_deviation", 0)), 5);
  EXPECT_THROW(ensemble_rule("median", 1), UsageError);
}

TEST(Ensemble, PartsAreTheMembersRewards) {
  const std::vector<Score> members = {{.reward = 1, .parts = {7, 8}}, {.reward = 3}};
  const Score score = combined_score(members, ensemble_rule("mean", 1));
  EXPECT_EQ(score.reward, 2);
  EXPECT_EQ(score.parts, (std::vector<double>{1, 3}));
  const Score alone = combined_score(std::span(members).first(1), ensemble_rule("minimum", 1));
  EXPECT_EQ(alone.reward, 1);
  EXPECT_EQ(alone.parts, (std::vector<double>{7, 8}));
}

TEST(Ensemble, DisagreementIsTheMeanDeviation) {
  const std::vector<Score> scores = {{.parts = kMembers}, {.parts = {3, 3}}};
  EXPECT_EQ(disagreement(scores), 1);
}

}  // namespace
}  // namespace keel
