#include "keel/feedback/reliability.h"

#include <gtest/gtest.h>

#include "feedback/judged_pairs.h"
#include "temporary_folder.h"

namespace keel::feedback {
namespace {

size_t verdicts(const Reliability& report, const std::string& verdict, int64_t from, int64_t to) {
  size_t count = 0;
  for (const AnnotatorReport& one : report.annotators)
    count += one.verdict == verdict && one.id >= from && one.id < to;
  return count;
}

TEST(Reliability, SaysWhoIsReliableCarelessAndHostile) {
  const auto rows = judged_pairs(20, 1500, 3, 1, issue_crowd);
  const Reliability report = reliability(rows, gold_pairs(20));
  EXPECT_EQ(report.camps.belief, Belief::gold);
  EXPECT_EQ(verdicts(report, "reliable", 0, 10), 10u);
  EXPECT_EQ(verdicts(report, "hostile: says the contrary", 10, 16), 6u);
  EXPECT_EQ(verdicts(report, "no better than a coin", 16, 20), 4u);
  EXPECT_EQ(report.items, 1500);
  EXPECT_EQ(report.items_of_several, 1500);
  EXPECT_TRUE(report.untold.empty());
}

TEST(Reliability, WithoutGoldTwoLargeCampsCannotBeTold) {
  const Reliability report = reliability(judged_pairs(20, 1500, 3, 1, issue_crowd), {});
  EXPECT_EQ(verdicts(report, "cannot be told without gold items", 0, 16), 16u);
  ASSERT_EQ(report.untold.size(), 1u);
  EXPECT_NE(report.untold[0].find("10 (annotator-0, "), std::string::npos) << report.untold[0];
  EXPECT_NE(reliability_text(report).find("cannot be told without gold items"), std::string::npos);
}

TEST(Reliability, ACopyIsEvidenceAndNoVerdict) {
  auto rows = judged_pairs(8, 500, 4, 6, [](int64_t) { return 0.85; });
  const size_t count = rows.size();
  for (size_t i = 0; i < count; ++i) {
    if (rows[i].judgement.annotator != 3) continue;
    JudgedRow copy = rows[i];
    copy.judgement.annotator = 8, copy.annotator.name = "copier";
    rows.push_back(copy);
  }
  const Reliability report = reliability(rows, {});
  ASSERT_EQ(report.untold.size(), 1u);
  EXPECT_NE(report.untold[0].find("annotator-3 and copier agree on"), std::string::npos) << report.untold[0];
  EXPECT_EQ(report.annotators[3].verdict, "cannot be told without gold items");
  EXPECT_EQ(report.annotators[0].verdict, "reliable");
  ASSERT_EQ(report.annotators[8].evidence.size(), 1u);
  EXPECT_EQ(report.annotators[8].evidence[0].what, "agrees beyond independence with annotator-3");
  EXPECT_EQ(report.annotators[8].evidence[0].count, report.annotators[8].evidence[0].total);
}

TEST(Reliability, PositionAndSpeedAreCountedInTheOrderShown) {
  std::vector<JudgedRow> rows;
  for (int64_t prompt = 0; prompt < 60; ++prompt) {
    for (int64_t who = 0; who < 3; ++who) {
      JudgedRow row = judged_pair(who, prompt, true);
      row.judgement.shown = true;
      row.judgement.seconds = 30;
      if (who == 2) row.judgement.ranks = {1, 2}, row.judgement.seconds = 0.1;
      rows.push_back(row);
    }
  }
  const Reliability report = reliability(rows, {});
  EXPECT_TRUE(report.annotators[0].evidence.empty());
  std::vector<std::string> found;
  for (const Evidence& evidence : report.annotators[2].evidence) {
    found.push_back(evidence.what);
    EXPECT_EQ(evidence.count, 60) << evidence.what;
  }
  EXPECT_NE(std::find(found.begin(), found.end(), "prefers one place, the first shown"), found.end());
  EXPECT_NE(std::find(found.begin(), found.end(), "answers faster than anybody reads"), found.end());
}

// Four of twelve prefer the contrary on 80 of 100 questions, and say so together.
TEST(Reliability, AGroupOfAnotherViewIsNotAccused) {
  auto rows = judged_pairs(12, 900, 4, 9, [](int64_t who) { return who < 8 ? 0.9 : 0.15; });
  for (JudgedRow& row : rows)
    row.annotator.parameters = {{"group", row.judgement.annotator < 8 ? "north" : "south"}};
  const Reliability report = reliability(rows, gold_pairs(20));
  EXPECT_EQ(verdicts(report, "differs with its group", 8, 12), 4u);
  ASSERT_EQ(report.groups.size(), 2u);
  EXPECT_EQ(report.groups[1].name, "south");
  EXPECT_EQ(report.groups[1].annotators, 4);
  EXPECT_GT(report.groups[1].items, 500);
  EXPECT_GT(report.groups[1].within_equal * 2, report.groups[1].within_total);
  EXPECT_LT(report.groups[1].across_equal * 2, report.groups[1].across_total);
  EXPECT_LT(report.groups[1].p, 1e-6);
}

// Annotator 5 says yes to everything.
TEST(Reliability, YesAndNoAreMeasuredByThemselves) {
  std::vector<JudgedRow> rows;
  for (JudgedRow& row : judged_pairs(6, 400, 3, 7, [](int64_t) { return 0.9; })) {
    row.judgement.label = row.judgement.ranks[0] == 1 || row.judgement.annotator == 5;
    row.judgement.type = JudgementType::label, row.judgement.ranks = {};
    row.completions.resize(1);
    rows.push_back(row);
  }
  const Reliability report = reliability(rows, {});
  const LabelAccuracy& fair = report.annotators[0].labels.value();
  EXPECT_NEAR(fair.yes_kept, 0.9, 0.06);
  EXPECT_NEAR(fair.no_kept, 0.9, 0.06);
  EXPECT_EQ(report.annotators[0].verdict, "reliable");
  const LabelAccuracy& yes = report.annotators[5].labels.value();
  EXPECT_GT(yes.yes_kept, 0.97);
  EXPECT_LT(yes.no_kept, 0.05);
  EXPECT_EQ(report.annotators[5].verdict, "no better than a coin");
  EXPECT_NE(reliability_text(report).find("keeps 9"), std::string::npos);
}

TEST(Reliability, GoldIsReadFromTasks) {
  const TemporaryFolder folder;
  const auto store = open_store((folder / "feedback.db").string(), Access::create);
  const int64_t prompt = store->add_prompt({.text = "Question"});
  const int64_t a = store->add_completion({.prompt = prompt, .passage = {.text = "a"}}),
                b = store->add_completion({.prompt = prompt, .passage = {.text = "b"}});
  store->add_task({.prompt = prompt, .completions = {a, b}, .details = {{"gold", {2, 1}}}});
  const auto gold = gold_rows(*store);
  ASSERT_EQ(gold.size(), 1u);
  EXPECT_EQ(gold[0].judgement.ranks, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(gold[0].completions[1].passage.text, "b");
  store->add_task({.prompt = prompt, .completions = {b, a}, .details = {{"gold", {1}}}});
  EXPECT_THROW(gold_rows(*store), Error);
}

TEST(Reliability, OfNothingNothingIsSaid) {
  const Reliability report = reliability({}, {});
  EXPECT_TRUE(report.annotators.empty());
  EXPECT_EQ(reliability_json(report).at("items"), 0);
}

}  // namespace
}  // namespace keel::feedback
