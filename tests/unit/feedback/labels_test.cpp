#include "keel/feedback/labels.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace keel::feedback {
namespace {

JudgedRow ranking(int64_t annotator, int64_t prompt, const std::vector<std::string>& texts,
                  std::vector<int64_t> ranks) {
  JudgedRow row{.annotator = {.name = "annotator " + std::to_string(annotator)}};
  row.judgement = {.annotator = annotator, .prompt = prompt, .ranks = std::move(ranks)};
  for (const std::string& text : texts) row.completions.push_back({.passage = {.text = text}});
  row.judgement.completions.resize(texts.size());
  return row;
}

TEST(Labels, APairIsOneItemWhateverTheOrderShown) {
  const auto sets = label_sets({ranking(1, 7, {"a", "b"}, {1, 2}), ranking(2, 7, {"b", "a"}, {2, 1}),
                                ranking(3, 7, {"b", "a"}, {1, 1}), ranking(1, 8, {"a", "b"}, {2, 1})});
  ASSERT_EQ(sets.size(), 1u);
  EXPECT_EQ(sets[0].name, "comparisons");
  std::vector<std::tuple<int64_t, int64_t, int64_t>> labels;
  for (const Label& label : sets[0].labels) labels.emplace_back(label.item, label.annotator, label.category);
  EXPECT_EQ(labels, (std::vector<std::tuple<int64_t, int64_t, int64_t>>{
                        {0, 1, 1}, {0, 2, 1}, {0, 3, 0}, {1, 1, -1}}));
}

TEST(Labels, TheLastWordCountsAndARankingIsItsPairs) {
  const auto sets =
      label_sets({ranking(1, 7, {"a", "b"}, {1, 2}), ranking(1, 7, {"a", "b", "c", "c"}, {2, 1, 3, 3})});
  ASSERT_EQ(sets[0].labels.size(), 3u);  // a-b, a-c, b-c: equal texts are one
  EXPECT_EQ(std::count_if(sets[0].labels.begin(), sets[0].labels.end(),
                          [](const Label& label) { return label.category == -1; }),
            1);
}

TEST(Labels, LabelsAndRatingsAreSetsOfTheirOwn) {
  JudgedRow yes = ranking(1, 7, {"a"}, {}), rated = yes;
  yes.judgement.type = JudgementType::label, yes.judgement.label = true;
  rated.judgement.type = JudgementType::rating, rated.judgement.ratings = {{"helpful", 4.25}, {"honest", 1}};
  const auto sets = label_sets({yes, rated});
  ASSERT_EQ(sets.size(), 3u);
  EXPECT_EQ(sets[0].name, "labels");
  EXPECT_EQ(sets[1].name, "ratings of helpful");
  EXPECT_EQ(sets[1].labels[0].category, 425);
}

// Four items, two annotators who differ on one: 3/4 agree. Cohen: 1 - (1/4) / (1/2) = 1/2.
TEST(Labels, AgreementIsReportedWithCountsAndIntervals) {
  std::vector<JudgedRow> rows;
  for (int64_t prompt = 0; prompt < 4; ++prompt) {
    const bool first = prompt < 2;
    rows.push_back(
        ranking(1, prompt, {"a", "b"}, first ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2, 1}));
    const bool other = prompt == 3 ? !first : first;
    rows.push_back(
        ranking(2, prompt, {"a", "b"}, other ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2, 1}));
  }
  const Json set = agreement_json(rows, {.resamples = 200})["agreement"][0];
  EXPECT_EQ(set["annotators"], 2);
  EXPECT_EQ(set["items_of_several"], 4);
  EXPECT_EQ(set["percent_agreement"]["value"], 0.75);
  EXPECT_NEAR(set["pairs"][0]["cohen_kappa"]["value"].get<double>(), 0.5, 1e-12);
  EXPECT_EQ(set["pairs"][0]["between"][1], "annotator 2");
  EXPECT_FALSE(set["fleiss_kappa"].is_null());
  rows.pop_back();
  EXPECT_TRUE(agreement_json(rows, {.resamples = 200})["agreement"][0]["fleiss_kappa"].is_null());
}

}  // namespace
}  // namespace keel::feedback
