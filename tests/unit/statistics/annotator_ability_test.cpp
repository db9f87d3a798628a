#include "keel/statistics/annotator_ability.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "statistics/battles.h"

namespace keel {
namespace {

std::vector<Battle> golden_abilities(const Json& golden) {
  std::vector<Battle> battles;
  for (size_t i = 0; i < golden["first"].size(); ++i)
    battles.push_back({.first = golden["first"][i],
                       .second = golden["second"][i],
                       .outcome = golden["outcome"][i],
                       .annotator = golden["annotator"][i]});
  return battles;
}

// The generator's priors: deviation 2, Beta(3, 3).
TEST(AnnotatorAbility, EqualsTheMaximumThatScipyFinds) {
  const Json golden = statistics_golden_file("annotators").at("ability");
  const auto fit = annotator_ability(golden_abilities(golden), {.prior_deviation = 2, .smoothing = 2});
  const auto strengths = golden_list(golden, "strengths"), ability = golden_list(golden, "ability");
  for (size_t i = 0; i < strengths.size(); ++i) EXPECT_NEAR(fit.strengths[i], strengths[i], 2e-4) << i;
  for (size_t i = 0; i < ability.size(); ++i) EXPECT_NEAR(fit.ability[i], ability[i], 1e-4) << i;
  EXPECT_NEAR(fit.log_posterior, golden["log_posterior"].get<double>(), 1e-4);
}

TEST(AnnotatorAbility, IntervalsHoldTheEstimateAndTellTheHostileFromTheHonest) {
  const auto fit = annotator_ability(golden_abilities(statistics_golden_file("annotators").at("ability")));
  for (size_t i = 0; i < fit.ability.size(); ++i) {
    EXPECT_LT(fit.intervals[i].low, fit.ability[i]);
    EXPECT_GT(fit.intervals[i].high, fit.ability[i]);
  }
  EXPECT_GT(fit.intervals[0].low, 0.5);
  EXPECT_LT(fit.intervals[6].high, 0.5);
}

TEST(AnnotatorAbility, TiesSayNothingOfAbility) {
  auto battles = golden_abilities(statistics_golden_file("annotators").at("ability"));
  const auto before = annotator_ability(battles);
  for (int i = 0; i < 200; ++i) battles.push_back({.first = 0, .second = 1, .outcome = 0.5, .annotator = 99});
  const auto after = annotator_ability(battles);
  EXPECT_NEAR(after.ability.back(), 0.5, 1e-12);
  EXPECT_LT(std::abs(after.strengths[0] - after.strengths[1]),
            std::abs(before.strengths[0] - before.strengths[1]));
}

TEST(AnnotatorAbility, APriorThatIsNoneIsRefused) {
  const std::vector<Battle> one = {{.first = 1, .second = 2, .outcome = 1}};
  EXPECT_THROW(annotator_ability({}), Error);
  EXPECT_THROW(annotator_ability(one, {.prior_deviation = INFINITY}), Error);
  EXPECT_THROW(annotator_ability(one, {.smoothing = -1}), Error);
}

}  // namespace
}  // namespace keel
