#include "keel/simulation/annotators.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "keel/base/error.h"
#include "keel/simulation/corpus.h"
#include "keel/simulation/gold.h"

namespace keel {
namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

// Four standard errors of a proportion.
double four_errors(double p, int64_t n) {
  return 4 * std::sqrt(p * (1 - p) / static_cast<double>(n));
}

TEST(Annotators, PairsAreBradleyTerry) {
  for (const double temperature : {0.5, 1.0, 2.0}) {
    for (const double difference : {0.5, 1.0, 3.0}) {
      const std::vector<std::vector<double>> pair = {{difference, 0}};
      const auto accuracy =
          expected_pair_accuracy({.temperature = temperature, .careless = 0}, pair, 1, 20000);
      const double expected = sigmoid(difference / temperature);
      EXPECT_EQ(accuracy.pairs, 20000);
      EXPECT_NEAR(accuracy.value(), expected, four_errors(expected, 20000))
          << temperature << " " << difference;
    }
  }
}

TEST(Annotators, CarelessRankingsAreRightHalfTheTime) {
  const std::vector<std::vector<double>> pair = {{1, 0}};
  const auto accuracy = expected_pair_accuracy({.temperature = 0.4, .careless = 0.3}, pair, 2, 20000);
  const double expected = 0.7 * sigmoid(1 / 0.4) + 0.3 * 0.5;
  EXPECT_NEAR(accuracy.value(), expected, four_errors(expected, 20000));
}

// Plackett-Luce: completion i is first with probability exp(s_i) / sum, then the same holds among the rest.
// Noise of the other sign would order pairs alike, but not larger sets.
TEST(Annotators, RankingsOfFourArePlackettLuce) {
  const std::vector<double> gold = {2, 0.5, 0, 0};
  const int trials = 40000;
  int best_first = 0, then_second = 0;
  for (uint32_t i = 0; i < trials; ++i) {
    const auto ranks = rank({.temperature = 1, .careless = 0}, gold, {.seed = 3, .prompt = i});
    best_first += ranks[0] == 1;
    then_second += ranks[0] == 1 && ranks[1] == 2;
  }
  const double sum = std::exp(2) + std::exp(0.5) + 2;
  const double first = std::exp(2) / sum, second = first * std::exp(0.5) / (sum - std::exp(2));
  EXPECT_NEAR(best_first / static_cast<double>(trials), first, four_errors(first, trials));
  EXPECT_NEAR(then_second / static_cast<double>(trials), second, four_errors(second, trials));
}

TEST(Annotators, TiesAreMeasuredFromTheirFirst) {
  // almost no noise: the scores are perceived as they are
  const Annotator annotator{.temperature = 1e-9, .careless = 0, .tie_threshold = 0.5};
  EXPECT_EQ(rank(annotator, std::vector<double>{3, 2.6, 2.2, 0, 0}, {.seed = 1}),
            (std::vector<int>{1, 1, 3, 4, 4}));
  EXPECT_EQ(rank(annotator, std::vector<double>{0, 3, 2.6}, {.seed = 1}), (std::vector<int>{3, 1, 1}));
  const std::vector<std::vector<double>> groups = {{3, 2.6, 0}};
  const auto accuracy = expected_pair_accuracy(annotator, groups, 1, 10);
  EXPECT_EQ(accuracy.ties, 10);
  EXPECT_EQ(accuracy.pairs, 20);
  EXPECT_EQ(accuracy.agreeing, 20);
}

TEST(Annotators, RankingsAreAFunctionOfTheKey) {
  const std::vector<double> gold = {1, 1, 1, 1, 1, 1};
  const Annotator annotator;
  const auto first = rank(annotator, gold, {.seed = 1, .prompt = 2, .sample = 3});
  EXPECT_EQ(rank(annotator, gold, {.seed = 1, .prompt = 2, .sample = 3, .position = 9}), first);
  EXPECT_NE(rank(annotator, gold, {.seed = 1, .prompt = 2, .sample = 4}), first);
  EXPECT_NE(rank(annotator, gold, {.seed = 1, .prompt = 3, .sample = 3}), first);
  EXPECT_NE(rank(annotator, gold, {.seed = 2, .prompt = 2, .sample = 3}), first);
}

TEST(Annotators, ThoseOfTheDemoAreOrderedAndImperfectOnRealAnswers) {
  std::vector<std::vector<double>> groups(300);
  const auto rows = generate_demonstrations(21, 1200);
  for (size_t i = 0; i < rows.size(); ++i)
    groups[i / 4].push_back(gold(rows[i].prompt, rows[i].completion, true));
  double before = 1;
  for (const auto& annotator : demo_annotators()) {
    const double accuracy = expected_pair_accuracy(annotator, groups, 1, 5).value();
    RecordProperty(annotator.name, std::to_string(accuracy));
    EXPECT_LT(accuracy, before) << annotator.name;
    EXPECT_GT(accuracy, 0.65) << annotator.name;
    before = accuracy;
  }
  EXPECT_LT(before, 0.8);
}

TEST(Annotators, RefusesImpossibleParameters) {
  const std::vector<double> gold = {1, 2}, nan = {1, std::nan("")};
  EXPECT_THROW(rank({.temperature = 0}, gold, {}), Error);
  EXPECT_THROW(rank({.careless = 1.5}, gold, {}), Error);
  EXPECT_THROW(rank({.tie_threshold = -1}, gold, {}), Error);
  EXPECT_THROW(rank({}, nan, {}), Error);
  EXPECT_TRUE(rank({}, {}, {}).empty());
}

TEST(Annotators, ParametersAreWrittenDown) {
  EXPECT_EQ(
      json_text(annotator_json({.name = "a", .temperature = 2, .careless = 0.5, .tie_threshold = 0.25})),
      R"({"name":"a","temperature":2.0,"careless":0.5,"tie_threshold":0.25})");
}

}  // namespace
}  // namespace keel
