#include "keel/feedback/oversight.h"

#include <gtest/gtest.h>

namespace keel::feedback {
namespace {

constexpr int64_t kNow = 1'800'000'000, kHour = 3600;  // a full hour

JudgedRow row(int64_t annotator, int64_t task, JudgementType type, int64_t at,
              std::optional<double> seconds = {}) {
  JudgedRow made{.at = at};
  made.annotator.name = "annotator " + std::to_string(annotator);
  made.judgement = {.annotator = annotator, .prompt = 1, .task = task, .type = type, .seconds = seconds};
  return made;
}

JudgedRow ranking(int64_t annotator, int64_t task, std::vector<int64_t> completions,
                  std::vector<int64_t> ranks) {
  JudgedRow made = row(annotator, task, JudgementType::ranking, kNow, 10.0 * static_cast<double>(annotator));
  made.judgement.completions = std::move(completions);
  made.judgement.ranks = std::move(ranks);
  return made;
}

TEST(Oversight, HoursEndWithTheCurrentOne) {
  const std::vector<JudgedRow> rows = {
      row(1, 1, JudgementType::skip, kNow + 5), row(1, 2, JudgementType::skip, kNow - 1),
      row(2, 2, JudgementType::skip, kNow - kHour), row(1, 3, JudgementType::skip, kNow - 2 * kHour - 1)};
  const auto hours = judgements_by_hour(rows, kNow + 10, 3);
  ASSERT_EQ(hours.size(), 3u);
  EXPECT_EQ(hours[0].at, kNow - 2 * kHour);
  EXPECT_EQ(hours[0].judgements, 0);
  EXPECT_EQ(hours[1].judgements, 2);
  EXPECT_EQ(hours[2].judgements, 1);
}

TEST(Oversight, AnnotatorsAreCountedByWhatTheyDidAndWhen) {
  const std::vector<JudgedRow> rows = {
      row(1, 1, JudgementType::label, kNow - 30 * kHour, 4.0),
      row(2, 1, JudgementType::label, kNow - 2 * kHour, 1.0), row(1, 2, JudgementType::label, kNow - 10, 8.0),
      row(1, 3, JudgementType::skip, kNow - 5, 100.0), row(1, 3, JudgementType::flag, kNow - 4)};
  const auto works = work_of_annotators(rows, kNow);
  ASSERT_EQ(works.size(), 2u);
  EXPECT_EQ(works[0].annotator.name, "annotator 1");
  EXPECT_EQ(works[0].judgements, 4);
  EXPECT_EQ(works[0].last_day, 3);
  EXPECT_EQ(works[0].last_hour, 3);
  EXPECT_EQ(works[0].skips, 1);
  EXPECT_EQ(works[0].flags, 1);
  EXPECT_EQ(works[0].last_at, kNow - 4);
  EXPECT_DOUBLE_EQ(works[0].median_seconds, 6);  // of answers alone
  EXPECT_EQ(works[1].last_hour, 0);
}

TEST(Oversight, TimesAreToldByKindOfTask) {
  const auto times = time_spent({ranking(1, 1, {1, 2}, {1, 2}), ranking(2, 1, {1, 2}, {1, 2}),
                                 ranking(4, 2, {1, 2, 3}, {1, 2, 3}), row(1, 3, JudgementType::label, kNow)});
  ASSERT_EQ(times.size(), 2u);
  EXPECT_EQ(times[0].task, "ranking of 2");
  EXPECT_EQ(times[0].answers, 2);
  EXPECT_DOUBLE_EQ(times[0].median, 15);
  EXPECT_DOUBLE_EQ(times[0].low, 11);
  EXPECT_DOUBLE_EQ(times[0].high, 19);
  EXPECT_EQ(times[1].task, "ranking of 3");
}

TEST(Oversight, RankingsDifferByTheirPairsInWhateverOrderTheyWereShown) {
  // 1 > 2 > 3 by one, 3 > 2 > 1 by the other: all three pairs differ.
  const auto reversed =
      disagreements({ranking(1, 7, {1, 2, 3}, {1, 2, 3}), ranking(2, 7, {3, 2, 1}, {1, 2, 3})}, 9);
  ASSERT_EQ(reversed.size(), 1u);
  EXPECT_EQ(reversed[0].task, 7);
  EXPECT_EQ(reversed[0].annotators, 2);
  EXPECT_DOUBLE_EQ(reversed[0].share, 1);
  // One of three pairs is tied by the other annotator: half of a third.
  const auto tied =
      disagreements({ranking(1, 7, {1, 2, 3}, {1, 2, 3}), ranking(2, 7, {1, 2, 3}, {1, 1, 2})}, 9);
  EXPECT_NEAR(tied.at(0).share, 1.0 / 6, 1e-12);
  EXPECT_TRUE(disagreements({ranking(1, 7, {1, 2}, {1, 2}), ranking(2, 7, {2, 1}, {2, 1})}, 9).empty());
  EXPECT_TRUE(
      disagreements({ranking(1, 7, {1, 2}, {1, 2}), ranking(1, 7, {1, 2}, {2, 1})}, 9).empty());  // himself
}

TEST(Oversight, LabelsAndRatingsDifferToo) {
  std::vector<JudgedRow> rows = {row(1, 1, JudgementType::label, kNow), row(2, 1, JudgementType::label, kNow),
                                 row(3, 1, JudgementType::label, kNow),
                                 row(1, 2, JudgementType::rating, kNow),
                                 row(2, 2, JudgementType::rating, kNow)};
  rows[0].judgement.label = rows[1].judgement.label = true;
  rows[2].judgement.label = false;
  rows[3].judgement.ratings = {{"helpful", 1}, {"honest", 5}};
  rows[4].judgement.ratings = {{"helpful", 5}, {"honest", 5}};
  const auto found = disagreements(rows, 9);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].task, 1);
  EXPECT_NEAR(found[0].share, 2.0 / 3, 1e-12);
  EXPECT_NEAR(found[1].share, 1.0 / 2, 1e-12);
  EXPECT_EQ(disagreements(rows, 1).size(), 1u);
}

}  // namespace
}  // namespace keel::feedback
