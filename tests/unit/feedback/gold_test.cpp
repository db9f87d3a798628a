#include "keel/feedback/gold.h"

#include <gtest/gtest.h>

#include "keel/feedback/task_rows.h"
#include "temporary_folder.h"

namespace keel::feedback {
namespace {

Task ranking_task(Json gold) {
  return {.id = 1,
          .kind = TaskKind::ranking,
          .prompt = 1,
          .completions = {11, 12, 13},
          .details = {{"gold", gold}}};
}
Judgement ranking(std::vector<int64_t> completions, std::vector<int64_t> ranks) {
  return {.annotator = 1,
          .prompt = 1,
          .task = 1,
          .completions = std::move(completions),
          .ranks = std::move(ranks)};
}
Task rating_task(Json details) {
  return {.id = 1, .kind = TaskKind::rating, .prompt = 1, .completions = {11}, .details = std::move(details)};
}
Judgement rating(std::map<std::string, double> ratings) {
  return {.annotator = 1,
          .prompt = 1,
          .task = 1,
          .type = JudgementType::rating,
          .completions = {11},
          .ratings = std::move(ratings)};
}

TEST(Gold, ARankingIsRightWhenEveryStrictPairIsInOrder) {
  const Task task = ranking_task({1, 2, 2});
  EXPECT_EQ(is_right(task, ranking({13, 11, 12}, {3, 1, 2})), true);  // what gold ties may be in any order
  EXPECT_EQ(is_right(task, ranking({11, 12, 13}, {1, 3, 2})), true);
  EXPECT_EQ(is_right(task, ranking({11, 12, 13}, {1, 1, 2})), false);  // a tie is no order
  EXPECT_EQ(is_right(task, ranking({11, 12, 13}, {2, 1, 3})), false);
  EXPECT_EQ(is_right(task, ranking({11, 12, 13}, {})), false);  // out of a damaged store
}

TEST(Gold, RatingsAreRightWithinTheTolerance) {
  const Task task = rating_task({{"gold", {{"helpful", 4}}}});
  EXPECT_EQ(is_right(task, rating({{"helpful", 3}, {"honest", 1}})), true);
  EXPECT_EQ(is_right(task, rating({{"helpful", 2}})), false);
  EXPECT_EQ(is_right(task, rating({{"honest", 4}})), false);
  const Task strict = rating_task({{"gold", {{"helpful", 4}}}, {"tolerance", 0}});
  EXPECT_EQ(is_right(strict, rating({{"helpful", 3}})), false);
  EXPECT_EQ(is_right(strict, rating({{"helpful", 4}})), true);
}

TEST(Gold, SkipsAreNotRightAndNotesSayNothing) {
  const Task task = ranking_task({1, 2, 3});
  Judgement said = ranking({}, {});
  said.type = JudgementType::skip;
  EXPECT_EQ(is_right(task, said), false);
  said.type = JudgementType::flag;
  EXPECT_EQ(is_right(task, said), std::nullopt);
  EXPECT_EQ(is_right(ranking_task(nullptr), ranking({11, 12, 13}, {1, 2, 3})), std::nullopt);
}

TEST(Gold, WhatDoesNotFitItsTaskIsRefused) {
  for (const Json& gold : {Json{1, 2}, Json{1, 2, 0}, Json{1, 2, "3"}, Json(true), Json::object()})
    EXPECT_THROW(check_gold(ranking_task(gold)), Refused) << gold;
  for (const Json& gold : {Json(4), Json::object(), Json{{"helpful", "4"}}})
    EXPECT_THROW(check_gold(rating_task({{"gold", gold}})), Refused) << gold;
  EXPECT_THROW(check_gold(rating_task({{"qualification", true}})), Refused);
  EXPECT_THROW(check_gold({.kind = TaskKind::demonstration, .details = {{"gold", "x"}}}), Refused);
  check_gold(ranking_task({3, 1, 1}));
}

TEST(Gold, RowsWithGoldAreFoundAndCounted) {
  TemporaryFolder folder;
  const auto store = open_store(folder / "feedback.db", Access::create);
  GoldTasks gold(*store);
  EXPECT_TRUE(gold.all().empty());
  add_task_rows(
      *store,
      folder.write(
          "tasks.jsonl",
          R"({"kind": "label", "prompt": "p", "completions": ["a"], "details": {"gold": true, "qualification": true}})"
          "\n"
          R"({"kind": "label", "prompt": "p", "completions": ["b"]})"
          "\n"
          R"({"kind": "label", "prompt": "p", "completions": ["c"], "details": {"gold": true}})"
          "\n"));
  ASSERT_EQ(gold.all().size(), 2u);
  const int64_t anna = store->add_annotator({.name = "anna"}), task = gold.all().begin()->first;
  EXPECT_EQ(store->claim({.annotator = anna, .holder = "h"})->task, task);  // before all others
  EXPECT_FALSE(qualification_of(*store, gold.all(), anna).complete());
  Judgement wrong{.annotator = anna,
                  .prompt = 1,
                  .task = task,
                  .type = JudgementType::label,
                  .completions = {1},
                  .label = false};
  const Receipt receipt = store->submit(wrong, "wrong");
  Judgement corrected = wrong;
  corrected.label = true;
  corrected.corrects = receipt.judgement;
  store->submit(corrected, "corrected");
  const QualificationState state = qualification_of(*store, gold.all(), anna);
  EXPECT_EQ(state.asked, 1);  // gold among the others is not examined
  EXPECT_TRUE(state.complete());
  EXPECT_EQ(state.share(), 0);  // by the first answer
  const auto counts = gold_counts(store->judgements(Kinds::human, store->last_event()), gold.all());
  EXPECT_EQ(counts.at(anna).right, 1);
  EXPECT_EQ(counts.at(anna).total, 1);
  EXPECT_THROW(
      add_task_rows(
          *store,
          folder.write("bad.jsonl",
                       R"({"kind": "label", "prompt": "p", "completions": ["a"], "details": {"gold": 1}})")),
      Error);
}

}  // namespace
}  // namespace keel::feedback
