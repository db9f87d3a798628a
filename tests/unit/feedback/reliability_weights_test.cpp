#include "keel/feedback/reliability_weights.h"

#include <gtest/gtest.h>

#include "feedback/judged_pairs.h"

namespace keel::feedback {
namespace {

// What a row teaches of its pair: its weight, below 0 where it teaches what is wrong.
double taught(const JudgedRow& row, double weight) {
  const bool first = row.judgement.ranks[0] < row.judgement.ranks[1];
  return first == (row.judgement.prompt % 2 == 0) ? weight : -weight;
}

// The experiment of docs/results/reliability.md at the level of labels: what share of wrong ones is repaired.
TEST(ReliabilityWeights, RepairMostWrongLabels) {
  const auto rows = judged_pairs(20, 2000, 3, 3, issue_crowd);
  ReliabilityWeights weights(rows, {}, {.most_hostile = 0.6});
  int64_t wrong = 0, still_wrong = 0;
  double weight_wrong = 0, weight_all = 0;
  for (const JudgedRow& row : rows) {
    const double weight = weights(row), teaches = taught(row, weight);
    wrong += taught(row, 1) < 0;
    still_wrong += teaches < 0;
    weight_all += std::abs(weight);
    if (teaches < 0) weight_wrong += -teaches;
  }
  RecordProperty("wrong", std::to_string(wrong));
  RecordProperty("still_wrong", std::to_string(still_wrong));
  EXPECT_GT(wrong, 2700);                      // of 6,000: 47.5 % are expected
  EXPECT_LT(still_wrong, wrong / 6);           // at least five sixths say what is right now
  EXPECT_LT(weight_wrong / weight_all, 0.05);  // and the rest hardly counts
}

TEST(ReliabilityWeights, ThreeLabelsOfAnItemSayTheSame) {
  const auto rows = judged_pairs(20, 1000, 3, 4, issue_crowd);
  ReliabilityWeights weights(rows, gold_pairs(30), {});
  for (size_t i = 0; i < rows.size(); i += 3)
    EXPECT_NEAR(taught(rows[i], weights(rows[i])), taught(rows[i + 1], weights(rows[i + 1])), 1e-12);
}

TEST(ReliabilityWeights, TwoCampsWithoutGoldAreRefused) {
  const auto rows = judged_pairs(20, 1000, 3, 4, issue_crowd);
  EXPECT_THROW(ReliabilityWeights(rows, {}, {}), Error);
}

TEST(ReliabilityWeights, ARankingCountsTheMeanOfItsPairsAndTiesNothing) {
  auto rows = judged_pairs(6, 300, 3, 5, [](int64_t) { return 0.9; });
  ReliabilityWeights weights(rows, {}, {});
  JudgedRow ranking = rows[0];
  ranking.judgement.ranks = {1, 1};
  EXPECT_EQ(weights(ranking), 1);
  const double pair = weights(rows[0]);
  ranking = rows[0];
  ranking.completions.push_back({.passage = {.text = "c, never judged"}});
  ranking.judgement.ranks.push_back(3);
  EXPECT_NEAR(weights(ranking), pair, 1e-12);  // pairs that nobody judged are not known
}

TEST(ReliabilityWeights, LabelsAreWeighedToo) {
  std::vector<JudgedRow> rows;
  for (JudgedRow& row : judged_pairs(12, 500, 4, 6, [](int64_t who) { return who < 11 ? 0.9 : 0.1; })) {
    row.judgement.label = row.judgement.ranks[0] == 1;
    row.judgement.type = JudgementType::label, row.judgement.ranks = {};
    row.completions.resize(1);
    rows.push_back(row);
  }
  ReliabilityWeights weights(rows, {}, {});
  int64_t turned = 0, hostile = 0;
  for (const JudgedRow& row : rows) {
    if (row.judgement.annotator != 11) continue;
    ++hostile, turned += weights(row) < 0;
  }
  EXPECT_GT(turned, hostile * 4 / 5);
}

TEST(ReliabilityWeights, ATurnedRowSaysTheContrary) {
  JudgedRow row = judged_pair(1, 2, true);
  row.judgement.ranks = {1, 3};
  const Json straight = judgement_json(row, 0.25).value(), turned = judgement_json(row, -0.7512349).value();
  EXPECT_EQ(straight.at("ranks"), Json({1, 3}));
  EXPECT_EQ(straight.at("weight"), 0.25);
  EXPECT_FALSE(straight.contains("turned"));
  EXPECT_EQ(turned.at("ranks"), Json({3, 1}));
  EXPECT_EQ(turned.at("weight"), 0.751235);
  EXPECT_EQ(turned.at("turned"), true);
}

}  // namespace
}  // namespace keel::feedback
