#include "keel/feedback/influence.h"

#include <gtest/gtest.h>

#include "feedback/judged_pairs.h"

namespace keel::feedback {
namespace {

// Annotators 1, 2, … of whom each prefers the new model so many times, and the old one so many.
std::vector<JudgedRow> preferences(const std::vector<std::pair<int, int>>& new_and_old) {
  std::vector<JudgedRow> rows;
  for (size_t a = 0; a < new_and_old.size(); ++a)
    for (int i = 0; i < new_and_old[a].first + new_and_old[a].second; ++i) {
      rows.push_back(judged_pair(static_cast<int64_t>(a + 1), std::ssize(rows), true));
      rows.back().judgement.ranks =
          i < new_and_old[a].first ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2, 1};
    }
  return rows;
}

TEST(Influence, SaysWhoCarriesAConclusion) {
  const Influence found = influence(preferences({{10, 2}, {4, 4}, {9, 4}, {1, 6}}), {"new", "old"});
  EXPECT_EQ(found.of_both, 40);
  EXPECT_EQ(found.wins.budget.annotators, (std::vector<int64_t>{1}));
  EXPECT_EQ(found.strengths.budget.annotators, (std::vector<int64_t>{1}));
  EXPECT_TRUE(found.strengths.budget.exact);
  const std::string text = influence_text(found);
  EXPECT_NE(text.find("by wins: better; without 1 annotator, and no fewer, that is gone: annotator-1\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(influence_json(found).at("wins").at("left_out").at(3).at("without"), 13);
}

TEST(Influence, ABoundIsCalledOne) {
  const auto rows = preferences({{6, 1}, {5, 1}, {3, 1}, {2, 6}});
  const Influence bound = influence(rows, {"new", "old"}, /*most_fits=*/3);
  EXPECT_FALSE(bound.strengths.budget.exact);
  EXPECT_NE(influence_text(bound).find("at most 2 annotators (greedy; at least 1)"), std::string::npos)
      << influence_text(bound);
}

TEST(Influence, AModelThatNobodyJudgedIsRefused) {
  EXPECT_THROW(influence(preferences({{1, 1}}), {"new", "third"}), Error);
}

}  // namespace
}  // namespace keel::feedback
