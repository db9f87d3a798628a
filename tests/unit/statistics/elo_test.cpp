#include "keel/statistics/elo.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "keel/base/error.h"
#include "statistics/battles.h"

namespace keel {
namespace {

void expect_ratings(const std::vector<EloRating>& ratings, const std::vector<double>& expected) {
  ASSERT_EQ(ratings.size(), expected.size());
  for (size_t i = 0; i < ratings.size(); ++i) {
    EXPECT_EQ(ratings[i].name, static_cast<int64_t>(i));
    EXPECT_NEAR(ratings[i].rating, expected[i], 1e-9) << i;
  }
}

TEST(Elo, EqualsFastChat) {
  const Json golden = statistics_golden_file("battles");
  const auto battles = golden_battles(golden);
  expect_ratings(elo_ratings(battles), golden_list(golden, "elo_k4"));
  expect_ratings(elo_ratings(battles, {.k = 16}), golden_list(golden, "elo_k16"));
  expect_ratings(elo_ratings(battles, {.k = 8, .scale = {.scale = 100, .base = 2, .initial = 0}}),
                 golden_list(golden, "elo_other_scale"));
}

TEST(Elo, BootstrapAgreesWithFastChatUpToItsNoise) {
  const Json golden = statistics_golden_file("battles");
  const auto estimates = bootstrap_elo(golden_battles(golden), {.k = 16}, {.seed = 2, .resamples = 3000});
  const Json& expected = golden["bootstrap_elo"];
  const auto median = golden_list(expected, "median"), deviation = golden_list(expected, "deviation");
  const auto low = golden_list(expected, "low"), high = golden_list(expected, "high");
  for (size_t i = 0; i < estimates.size(); ++i) {
    EXPECT_NEAR(estimates[i].median, median[i], 0.12 * deviation[i]);
    EXPECT_NEAR(estimates[i].rating.standard_error, deviation[i], 0.07 * deviation[i]);
    EXPECT_NEAR(estimates[i].rating.interval.low, low[i], 0.2 * deviation[i]);
    EXPECT_NEAR(estimates[i].rating.interval.high, high[i], 0.2 * deviation[i]);
    EXPECT_EQ(estimates[i].rating.count, 900);
  }
}

TEST(Elo, PointsAreConservedAndTheOrderMatters) {
  auto battles = golden_battles(statistics_golden_file("battles"));
  const auto forward = elo_ratings(battles);
  double sum = 0;
  for (const auto& rating : forward) sum += rating.rating;
  EXPECT_NEAR(sum, 7000, 1e-9);
  std::reverse(battles.begin(), battles.end());
  EXPECT_GT(std::abs(elo_ratings(battles)[0].rating - forward[0].rating), 1e-3);
}

TEST(Elo, FourHundredPointsAreOddsOfTenToOne) {
  EXPECT_NEAR(elo_points(std::log(10.0)), 1400, 1e-9);
  const Estimate points = elo_points(Estimate{0, std::log(10.0), {-std::log(10.0), 0}, 5});
  EXPECT_NEAR(points.value, 1000, 1e-9);
  EXPECT_NEAR(points.standard_error, 400, 1e-9);
  EXPECT_NEAR(points.interval.low, 600, 1e-9);
  EXPECT_NEAR(points.interval.high, 1000, 1e-9);
  EXPECT_EQ(points.count, 5);
}

TEST(Elo, RefusesWhatIsNoBattle) {
  const std::vector<Battle> none, itself = {{.first = 1, .second = 1}},
                                  twice = {{.first = 1, .second = 2, .outcome = 2}},
                                  fine = {{.first = 1, .second = 2}};
  EXPECT_THROW(elo_ratings(none), Error);
  EXPECT_THROW(elo_ratings(itself), Error);
  EXPECT_THROW(elo_ratings(twice), Error);
  EXPECT_THROW(elo_ratings(fine, {.k = 0}), Error);
  EXPECT_THROW(elo_ratings(fine, {.scale = {.base = 1}}), Error);
}

}  // namespace
}  // namespace keel
