#include "keel/feedback/summary.h"

#include <gtest/gtest.h>

namespace keel::feedback {
namespace {

const Annotator kHuman{.kind = AnnotatorKind::human, .name = "h"};
const Annotator kRule{.kind = AnnotatorKind::simulated, .name = "s"};

JudgedRow ranked(const Annotator& annotator, int64_t prompt, const std::vector<std::string>& texts,
                 std::vector<int64_t> ranks, bool shown = false) {
  JudgedRow row{.annotator = annotator};
  row.judgement = {.prompt = prompt, .ranks = std::move(ranks), .shown = shown};
  for (const std::string& text : texts)
    row.completions.push_back({.prompt = prompt, .passage = {.text = text}});
  return row;
}

JudgedRow labelled(const Annotator& annotator, bool label) {
  JudgedRow row{.annotator = annotator};
  row.judgement = {.type = JudgementType::label, .label = label};
  return row;
}

TEST(Summary, CountsPairsTiesLabelsAndSkips) {
  JudgedRow skip{.annotator = kHuman};
  skip.judgement.type = JudgementType::skip;
  const Summary summary = summarise({ranked(kHuman, 1, {"a", "b", "c", "c"}, {1, 2, 2, 3}), skip,
                                     labelled(kHuman, true), labelled(kHuman, false), labelled(kRule, true)});
  ASSERT_EQ(summary.annotators.size(), 2u);
  const AnnotatorSummary& human = summary.annotators[0];
  EXPECT_EQ(human.counts.at(JudgementType::ranking), 1);
  EXPECT_EQ(human.pairs, 5);  // six, less the pair of two equal texts
  EXPECT_EQ(human.ties, 1);
  EXPECT_EQ(human.counts.at(JudgementType::label), 2);
  EXPECT_EQ(human.positive, 1);
  EXPECT_EQ(human.counts.at(JudgementType::skip), 1);
  EXPECT_EQ(summary.annotators[1].positive, 1);
  EXPECT_TRUE(summary.agreements.empty());
}

TEST(Summary, AgreementComparesTheSamePairInEitherOrder) {
  const Summary summary = summarise({
      ranked(kHuman, 1, {"a", "b"}, {1, 2}), ranked(kRule, 1, {"b", "a"}, {2, 1}),   // agree
      ranked(kHuman, 2, {"a", "b"}, {1, 2}), ranked(kRule, 2, {"a", "b"}, {2, 1}),   // disagree
      ranked(kHuman, 3, {"a", "b"}, {1, 1}), ranked(kRule, 3, {"a", "b"}, {2, 1}),   // a tie says neither
      ranked(kHuman, 7, {"a", "b"}, {2, 2}), ranked(kRule, 7, {"a", "b"}, {1, 1}),   // nor do two
      ranked(kHuman, 4, {"a", "b"}, {1, 2}), ranked(kRule, 5, {"a", "b"}, {1, 2}),   // other prompts
      ranked(kHuman, 6, {"a", "b"}, {1, 2}), ranked(kHuman, 6, {"a", "b"}, {2, 1}),  // the last one counts
      ranked(kRule, 6, {"c", "b", "a"}, {3, 1, 2}),                                  // agrees on b before a
  });
  ASSERT_EQ(summary.agreements.size(), 1u);
  const Agreement& agreement = summary.agreements[0];
  EXPECT_EQ(agreement.agree.count, 2);
  EXPECT_EQ(agreement.agree.total, 3);
  EXPECT_EQ(agreement.ties, 2);
  EXPECT_NEAR(agreement.agree.interval().low, 0.2077, 1e-4);  // Wilson's interval of 2 of 3
  EXPECT_NEAR(agreement.agree.interval().high, 0.9385, 1e-4);
}

TEST(Summary, PositionBiasCountsOnlyStrictPairsThatWereShownInThisOrder) {
  const Summary summary =
      summarise({ranked(kHuman, 1, {"a", "b"}, {1, 2}, true), ranked(kHuman, 2, {"a", "b"}, {2, 1}, true),
                 ranked(kHuman, 3, {"a", "b"}, {1, 2}, true), ranked(kHuman, 4, {"a", "b"}, {1, 1}, true),
                 ranked(kHuman, 5, {"a", "b"}, {1, 2}, false)});
  EXPECT_EQ(summary.annotators[0].first_wins.count, 2);
  EXPECT_EQ(summary.annotators[0].first_wins.total, 3);
}

TEST(Summary, JsonKeepsKindsApart) {
  const Annotator second{.kind = AnnotatorKind::human, .name = "h2"};
  const Json json =
      summary_json(summarise({ranked(kHuman, 1, {"a", "b"}, {1, 2}), ranked(kRule, 1, {"a", "b"}, {1, 2}),
                              ranked(second, 1, {"a", "b"}, {2, 1})}));
  EXPECT_EQ(json["kinds"]["human"]["rankings"], 2);
  EXPECT_EQ(json["kinds"]["simulated"]["rankings"], 1);
  ASSERT_EQ(json["agreement_of_kinds"].size(), 2u);
  EXPECT_EQ(json["agreement_of_kinds"][0]["between"], Json::array({"human", "human"}));
  EXPECT_EQ(json["agreement_of_kinds"][0]["share"], 0.0);
  EXPECT_EQ(json["agreement_of_kinds"][1]["between"], Json::array({"human", "simulated"}));
  EXPECT_EQ(json["agreement_of_kinds"][1]["count"], 1);
  EXPECT_EQ(json["agreement_of_kinds"][1]["total"], 2);
  EXPECT_EQ(json["agreement_of_annotators"].size(), 3u);
  EXPECT_FALSE(json["kinds"]["human"]["first_shown_is_better"].contains("share"));
}

}  // namespace
}  // namespace keel::feedback
