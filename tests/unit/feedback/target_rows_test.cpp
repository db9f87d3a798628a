#include "keel/feedback/target_rows.h"

#include <gtest/gtest.h>

#include <cmath>

#include "feedback/judged_pairs.h"
#include "keel/base/files.h"
#include "keel/feedback/training_rows.h"
#include "temporary_folder.h"

namespace keel::feedback {
namespace {

JudgedRow ranking(int64_t prompt, std::vector<int64_t> ranks) {
  JudgedRow row = judged_pair(1, prompt, true);
  row.judgement.ranks = std::move(ranks);
  while (row.completions.size() < row.judgement.ranks.size())
    row.completions.push_back({.passage = {.text = "c, number " + std::to_string(row.completions.size())}});
  return row;
}

JudgedRow rating(int64_t annotator, int64_t prompt, double helpful) {
  JudgedRow row = judged_pair(annotator, prompt, true);
  row.judgement.type = JudgementType::rating;
  row.judgement.ranks = {};
  row.judgement.ratings = {{"helpful", helpful}};
  row.completions.resize(1);
  return row;
}

class TargetRows : public ::testing::Test {
 protected:
  std::vector<Json> written(const std::vector<JudgedRow>& rows, Targets targets) {
    const auto path = folder_ / "rows.jsonl";
    const int64_t count = write_target_rows(rows, targets, path);
    std::vector<Json> found;
    for_each_line(path, [&](std::string_view line, int64_t) { found.push_back(Json::parse(line)); });
    EXPECT_EQ(count, std::ssize(found));
    return found;
  }
  TemporaryFolder folder_;
};

void expect_standardised(const std::vector<double>& values) {
  double sum = 0, squares = 0;
  for (const double value : values) sum += value, squares += value * value;
  const auto n = static_cast<double>(values.size());
  EXPECT_NEAR(sum / n, 0, 1e-9);
  EXPECT_NEAR(squares / n, 1, 1e-9);
}

TEST_F(TargetRows, ARankingGivesItsCompletionsNumbersInItsOrder) {
  for (const Targets targets : {Targets::elo, Targets::bradley_terry}) {
    const auto rows = written({ranking(1, {2, 1, 3}), ranking(2, {1, 2})}, targets);
    ASSERT_EQ(rows.size(), 5u);
    EXPECT_GT(rows[1].at("score"), rows[0].at("score"));
    EXPECT_GT(rows[0].at("score"), rows[2].at("score"));
    EXPECT_EQ(rows[0].at("battles"), 2);
    EXPECT_EQ(rows[0].at("prompt"), "Question 1");
    EXPECT_EQ(rows[0].at("completion"), "a, the one");
    EXPECT_FALSE(rows[0].contains("annotator"));
    std::vector<double> scores;
    for (const Json& row : rows) scores.push_back(row.at("score"));
    expect_standardised(scores);
  }
}

// Two completions that met n times, w to n - w, under a normal prior of deviation 3 around 0: the strengths
// ±s solve (w/n - sigmoid(2s)) n = s / 9; of two such prompts only the ratio is left after standardising.
TEST_F(TargetRows, StrengthsAreThoseOfTheStatedPrior) {
  std::vector<JudgedRow> rows;
  for (int i = 0; i < 10; ++i)
    rows.push_back(ranking(1, i < 8 ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2, 1}));
  for (int i = 0; i < 4; ++i) rows.push_back(ranking(2, {1, 2}));
  const auto solve = [](double wins, double n) {
    double low = 0, high = 10;
    for (int i = 0; i < 100; ++i) {
      const double s = (low + high) / 2;
      (wins - n / (1 + std::exp(-2 * s)) > s / 9 ? low : high) = s;
    }
    return low;
  };
  const auto found = written(rows, Targets::bradley_terry);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_NEAR(found[0].at("score").get<double>() / found[2].at("score").get<double>(),
              solve(8, 10) / solve(4, 4), 1e-6);
  EXPECT_NEAR(found[0].at("score").get<double>(), -found[1].at("score").get<double>(), 1e-9);
}

TEST_F(TargetRows, RatingsAreReadByEachAnnotatorsOwnScale) {
  const auto rows =
      written({rating(1, 1, 3), rating(1, 2, 7), rating(2, 1, 1), rating(2, 2, 3), rating(3, 1, 4)},
              Targets::standardised_ratings);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_NEAR(rows[0].at("ratings").at("helpful").get<double>(), -1, 1e-12);
  EXPECT_NEAR(rows[1].at("ratings").at("helpful").get<double>(), 1, 1e-12);
  EXPECT_EQ(rows[0].at("ratings"), rows[2].at("ratings"));
  EXPECT_EQ(rows[4].at("ratings").at("helpful"), 0);
}

TEST_F(TargetRows, OfNothingNoRows) {
  EXPECT_TRUE(written({}, Targets::elo).empty());
  EXPECT_TRUE(written({rating(1, 1, 5)}, Targets::bradley_terry).empty());
  EXPECT_THROW(targets_named("points"), UsageError);
}

TEST_F(TargetRows, HeldOutAnnotatorsHaveNumbersOfTheirOwn) {
  const auto store = open_store((folder_ / "feedback.db").string(), Access::create);
  const int64_t prompt = store->add_prompt({.text = "Question"});
  const int64_t a = store->add_completion({.prompt = prompt, .passage = {.text = "a"}}),
                b = store->add_completion({.prompt = prompt, .passage = {.text = "b"}});
  for (const char* name : {"anna", "ben"})
    store->submit({.annotator = store->add_annotator({.name = name}),
                   .prompt = prompt,
                   .completions = {a, b},
                   .ranks = name[0] == 'a' ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2, 1}},
                  name);
  const auto counts = write_training_rows(
      *store, {.last_event = store->last_event(), .held_out = {"ben"}, .targets = Targets::bradley_terry},
      folder_ / "kept.jsonl", folder_ / "apart.jsonl");
  EXPECT_EQ(counts.written, 2);
  EXPECT_EQ(counts.held_out, 2);
  const Json kept =
      Json::parse(read_file(folder_ / "kept.jsonl").substr(0, read_file(folder_ / "kept.jsonl").find('\n')));
  EXPECT_EQ(kept.at("completion"), "a");
  EXPECT_EQ(kept.at("score"), 1);
}

}  // namespace
}  // namespace keel::feedback
