#include "keel/statistics/bradley_terry.h"

#include <gtest/gtest.h>

#include <numeric>

#include "keel/base/error.h"
#include "keel/statistics/elo.h"
#include "keel/statistics/paired_likelihood.h"
#include "statistics/battles.h"

namespace keel {
namespace {

Battle won(int64_t winner, int64_t loser) {
  return {.first = winner, .second = loser, .outcome = 1};
}

// 1 mostly beats 2, which mostly beats 3.
std::vector<Battle> three() {
  std::vector<Battle> battles;
  for (int i = 0; i < 5; ++i) battles.push_back(won(1, 2)), battles.push_back(won(2, 3));
  battles.push_back(won(2, 1)), battles.push_back(won(3, 2));
  return battles;
}

void expect_points(const BradleyTerry& fit, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(fit.strengths.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(elo_points(fit.strengths[i]), expected[i], tolerance) << i;
  }
}

TEST(BradleyTerry, EqualsTheMaximumThatFastChatSeeks) {
  const Json golden = statistics_golden_file("battles");
  const auto fit = bradley_terry(golden_battles(golden));
  expect_points(fit, golden_list(golden, "bradley_terry"), 1e-5);
  EXPECT_NEAR(std::accumulate(fit.strengths.begin(), fit.strengths.end(), 0.0), 0, 1e-9);
}

// fschat 0.2.36 counts every battle twice and adds |w|² / 2 for strengths w in units of ln 10: a normal prior
// whose deviation is √2 · ln 10 nats.
TEST(BradleyTerry, WithAPriorEqualsFastChatsPenalty) {
  const Json golden = statistics_golden_file("battles");
  const auto fit = bradley_terry(golden_battles(golden), {.prior_deviation = std::sqrt(2) * std::log(10)});
  expect_points(fit, golden_list(golden, "penalised"), 1e-5);
}

TEST(BradleyTerry, DavidsonsTiesEqualTheLogLinearModel) {
  const Json golden = statistics_golden_file("battles");
  const auto fit = bradley_terry(golden_battles(golden), {.ties = Ties::davidson});
  const auto strengths = golden_list(golden["davidson"], "strengths");
  for (size_t i = 0; i < strengths.size(); ++i) EXPECT_NEAR(fit.strengths[i], strengths[i], 1e-8) << i;
  EXPECT_NEAR(fit.tie_parameter, golden["davidson"]["tie_parameter"].get<double>(), 1e-8);
}

TEST(BradleyTerry, AChanceOfWinningCountsHalfOfThatOfATie) {
  const auto fit = bradley_terry(golden_battles(statistics_golden_file("battles")), {.ties = Ties::davidson});
  const double d = fit.strengths[1] - fit.strengths[5];
  const double win = std::exp(d / 2), loss = std::exp(-d / 2), sum = win + loss + fit.tie_parameter;
  EXPECT_NEAR(fit.win_probability(1, 5), (win + fit.tie_parameter / 2) / sum, 1e-12);
  EXPECT_NEAR(fit.win_probability(5, 1), (loss + fit.tie_parameter / 2) / sum, 1e-12);
}

// Newton's steps square the error: a wrong curvature shows in their number alone.
TEST(BradleyTerry, FewStepsReachTheMaximum) {
  const auto battles = golden_battles(statistics_golden_file("battles"));
  std::vector<double> outcomes;
  for (const auto& battle : battles) outcomes.push_back(battle.outcome);
  for (const bool model_ties : {false, true}) {
    PairedLikelihood likelihood(battles, comparability(battles), 3, model_ties);
    likelihood.observe(outcomes, std::vector<double>(battles.size(), 1.0));
    EXPECT_LE(likelihood.maximise(), 6);
    EXPECT_EQ(likelihood.maximise(), 1);
  }
}

// Two contestants whose ties depend much on the difference: a closed form, since three counts have two
// ratios.
TEST(BradleyTerry, TiesAndStrengthsAreSolvedForTogether) {
  std::vector<Battle> battles;
  std::vector<double> outcomes;
  for (int i = 0; i < 100; ++i) {
    outcomes.push_back(i < 80 ? 1 : i < 98 ? 0.5 : 0);
    battles.push_back({.first = 1, .second = 2, .outcome = outcomes.back()});
  }
  const auto fit = bradley_terry(battles, {.ties = Ties::davidson});
  EXPECT_NEAR(fit.strengths[0] - fit.strengths[1], std::log(40), 1e-9);
  EXPECT_NEAR(fit.tie_parameter, 0.18 / std::sqrt(0.8 * 0.02), 1e-9);
  PairedLikelihood likelihood(battles, comparability(battles), INFINITY, true);
  likelihood.observe(outcomes, std::vector<double>(100, 1.0));
  EXPECT_LE(likelihood.maximise(), 9);
}

TEST(BradleyTerry, OneTieParameterIsSharedBetweenComponents) {
  auto battles = golden_battles(statistics_golden_file("battles"));
  const auto alone = bradley_terry(battles, {.ties = Ties::davidson});
  const size_t count = battles.size();
  for (size_t i = 0; i < count; ++i) {
    Battle other = battles[i];
    other.first += 100, other.second += 100;
    battles.push_back(other);
  }
  const auto both = bradley_terry(battles, {.ties = Ties::davidson});
  EXPECT_NEAR(both.tie_parameter, alone.tie_parameter, 1e-8);
  for (size_t i = 0; i < 14; ++i) EXPECT_NEAR(both.strengths[i], alone.strengths[i % 7], 1e-8);
  EXPECT_NEAR(both.log_likelihood, 2 * alone.log_likelihood, 1e-6);
  EXPECT_EQ(both.components[0], 0u);
  EXPECT_EQ(both.components[13], 1u);
}

// Two contestants: the estimate is the log-odds of the wins.
TEST(BradleyTerry, TwoContestantsHaveAClosedForm) {
  std::vector<Battle> battles;
  for (int i = 0; i < 8; ++i) battles.push_back(i < 6 ? won(4, 2) : won(2, 4));
  const auto fit = bradley_terry(battles);
  EXPECT_NEAR(fit.strengths[1] - fit.strengths[0], std::log(6.0 / 2), 1e-9);
  EXPECT_NEAR(fit.win_probability(1, 0), 0.75, 1e-9);
  EXPECT_NEAR(fit.log_likelihood, 6 * std::log(0.75) + 2 * std::log(0.25), 1e-9);
}

TEST(BradleyTerry, LopsidedBattlesStillConverge) {
  std::vector<Battle> battles = {won(2, 1)};
  for (int i = 0; i < 100'000; ++i) battles.push_back(won(1, 2));
  const auto fit = bradley_terry(battles);
  EXPECT_NEAR(fit.strengths[0] - fit.strengths[1], std::log(100'000.0), 1e-6);
}

TEST(BradleyTerry, WhoWonEverythingHasNoFiniteStrengthWithoutAPrior) {
  auto battles = three();
  battles.push_back(won(9, 1));
  EXPECT_THROW(bradley_terry(battles), Error);
  const auto fit = bradley_terry(battles, {.prior_deviation = 2});
  EXPECT_GT(fit.strengths[3], fit.strengths[0]);
  EXPECT_LT(fit.strengths[3], 6);
}

TEST(BradleyTerry, RefusesWhatItCannotFit) {
  const std::vector<Battle> ties = {{.first = 1, .second = 2}},
                            part = {{.first = 1, .second = 2, .outcome = 0.7}};
  EXPECT_THROW(bradley_terry(std::vector<Battle>{}), Error);
  EXPECT_THROW(bradley_terry(three(), {.prior_deviation = 0}), Error);
  EXPECT_THROW(bradley_terry(ties, {.ties = Ties::davidson}), Error);
  EXPECT_THROW(bradley_terry(part, {.ties = Ties::davidson}), Error);
  EXPECT_NEAR(bradley_terry(ties).strengths[0], 0, 1e-12);
  EXPECT_NEAR(bradley_terry(part).win_probability(0, 1), 0.7, 1e-9);
}

// Rubin's weights against FastChat's multinomial ones: the same to first order.
TEST(BradleyTerry, BootstrapsAgreeWithFastChatsByBattleAndByPrompt) {
  const Json golden = statistics_golden_file("battles");
  const auto battles = golden_battles(golden);
  for (const auto unit : {Resample::battles, Resample::prompts}) {
    const Json& expected = golden["bootstrap_bt"][unit == Resample::battles ? "battle" : "prompt"];
    const auto result = bootstrap_bradley_terry(battles, {}, {.seed = 4, .resamples = 2000}, unit);
    const auto deviation = golden_list(expected, "deviation"), low = golden_list(expected, "low"),
               high = golden_list(expected, "high");
    for (size_t i = 0; i < deviation.size(); ++i) {
      const Estimate points = elo_points(result.strengths[i]);
      EXPECT_NEAR(points.standard_error, deviation[i], 0.08 * deviation[i]) << i;
      EXPECT_NEAR(points.interval.low, low[i], 0.25 * deviation[i]) << i;
      EXPECT_NEAR(points.interval.high, high[i], 0.25 * deviation[i]) << i;
      EXPECT_EQ(points.count, unit == Resample::battles ? 900 : 60);
    }
  }
}

TEST(BradleyTerry, BootstrapKeepsTheOneLossThatMakesAnEstimateFinite) {
  std::vector<Battle> battles = {won(2, 1)};
  for (int i = 0; i < 30; ++i) battles.push_back(won(1, 2));
  const auto result = bootstrap_bradley_terry(battles, {}, {.seed = 1, .resamples = 500});
  EXPECT_TRUE(std::isfinite(result.strengths[0].interval.high));
  EXPECT_GT(result.strengths[0].interval.high, result.fit.strengths[0]);
}

TEST(BradleyTerry, WinMatrixCountsBothWaysRound) {
  const Json golden = statistics_golden_file("battles");
  const auto battles = golden_battles(golden);
  const auto fit = bradley_terry(battles);
  const auto cells = win_matrix(battles, fit);
  for (size_t i = 0; i < 7; ++i) {
    for (size_t j = 0; j < 7; ++j) {
      const WinCell &cell = cells[i * 7 + j], &other = cells[j * 7 + i];
      EXPECT_EQ(cell.wins, other.losses);
      EXPECT_EQ(cell.ties, other.ties);
      EXPECT_NEAR(cell.expected + other.expected, 1, 1e-12);
      const Json& share = golden["win_fraction"][i][j];
      if (share.is_null()) continue;
      EXPECT_NEAR(static_cast<double>(cell.wins) / static_cast<double>(cell.battles()), share.get<double>(),
                  1e-12);
    }
  }
  EXPECT_TRUE(std::isnan(cells[0].observed()));
}

// With expected counts of wins and losses equal to the observed ones the likelihood is at its maximum.
TEST(BradleyTerry, ExpectedWinsEqualObservedOnes) {
  const auto battles = golden_battles(statistics_golden_file("battles"));
  const auto cells = win_matrix(battles, bradley_terry(battles));
  for (size_t i = 0; i < 7; ++i) {
    double expected = 0, observed = 0;
    for (size_t j = 0; j < 7; ++j) {
      const WinCell& cell = cells[i * 7 + j];
      if (cell.battles() == 0) continue;
      expected += static_cast<double>(cell.battles()) * cell.expected;
      observed += static_cast<double>(cell.battles()) * cell.observed();
    }
    EXPECT_NEAR(expected, observed, 1e-6);
  }
}

}  // namespace
}  // namespace keel
