#include "keel/statistics/suspicion.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "keel/statistics/exact_tests.h"
#include "statistics/annotators.h"

namespace keel {
namespace {

RandomSequence draws_of(uint32_t test) {
  return RandomSequence({.seed = 5, .stream = Stream::annotators, .step = test});
}

TEST(Suspicion, PositionIsAFairCoinAndCorrectedForAllWhoWereAsked) {
  std::vector<ShownChoice> choices;
  for (int64_t i = 0; i < 50; ++i) choices.push_back({1, i < 41}), choices.push_back({2, i < 27});
  const auto signs = position_signs(choices);
  ASSERT_EQ(signs.size(), 2u);
  EXPECT_EQ(signs[0].count, 41);
  EXPECT_EQ(signs[0].total, 50);
  EXPECT_NEAR(signs[0].p, fair_coin_test(41, 50), 1e-15);
  EXPECT_NEAR(signs[0].corrected, 2 * signs[0].p, 1e-15);
  EXPECT_GT(signs[1].corrected, 0.05);
}

// The longer text is better on `share` of the items. Annotator 0 errs in favour of the longer text alone, as
// often as all the others err.
std::vector<Label> labels_by_length(double share, double taste) {
  std::vector<Label> labels;
  auto draws = draws_of(1);
  for (int64_t item = 0; item < 600; ++item) {
    const int64_t truth = draws.uniform() < share;
    for (int64_t who = 0; who < 8; ++who) {
      if (draws.uniform() < 0.5) continue;
      const double errs =
          who == 0 ? (truth == 1 ? 0.2 - taste : 0.2 + taste) : 0.1 + 0.03 * static_cast<double>(who);
      labels.push_back({who, item, draws.uniform() < errs ? 1 - truth : truth});
    }
  }
  return labels;
}

TEST(Suspicion, ATasteForLengthIsErrorsOnOneSide) {
  for (const double share : {0.5, 0.85}) {
    const auto signs = length_signs(labels_by_length(share, 0.2));
    EXPECT_LT(signs[0].corrected, 0.05)
        << share << " " << signs[0].count << " of " << signs[0].total << ", expected " << signs[0].expected;
    EXPECT_GT(static_cast<double>(signs[0].count), signs[0].expected * static_cast<double>(signs[0].total));
    for (size_t i = 1; i < signs.size(); ++i) EXPECT_GT(signs[i].corrected, 0.05) << share << " " << i;
  }
}

// Others err, too, and where the longer text is mostly right their errors speak for the shorter one.
TEST(Suspicion, WhoeverPrefersWhatIsRightIsNotSuspected) {
  for (const double share : {0.5, 0.85, 1.0})
    for (const Sign& sign : length_signs(labels_by_length(share, 0)))
      EXPECT_GT(sign.corrected, 0.05) << share << " " << sign.annotator;
  EXPECT_TRUE(length_signs({}).empty());
}

TEST(Suspicion, TooFastIsFasterThanReadingAndThanTheOthers) {
  std::vector<TimedJudgement> judgements;
  for (int i = 0; i < 50; ++i) {
    judgements.push_back({1, 200, i < 40 ? 2.0 : 60.0});  // 6,000 words a minute
    judgements.push_back({2, 200, 50});
    judgements.push_back({3, 5, 1});  // a short text is read in a second
  }
  const auto signs = speed_signs(judgements);
  EXPECT_EQ(signs[0].count, 40);
  EXPECT_LT(signs[0].corrected, 1e-9);
  EXPECT_EQ(signs[1].count, 0);
  EXPECT_EQ(signs[2].count, 0);
  EXPECT_NEAR(signs[1].p, 1, 1e-9);
}

double right_85(int64_t, int64_t) {
  return 0.85;
}

TEST(Suspicion, ACopyIsFoundAndNobodyElse) {
  auto labels = simulated_labels(8, 400, 4, 6, right_85);
  std::vector<Label> copies;
  for (const Label& label : labels)
    if (label.annotator == 3) copies.push_back({8, label.item, label.category});
  labels.insert(labels.end(), copies.begin(), copies.end());
  std::vector<std::pair<int64_t, int64_t>> found;
  for (const Sign& sign : copying_signs(labels))
    if (sign.corrected < 0.05) found.emplace_back(sign.annotator, sign.other);
  EXPECT_EQ(found, (std::vector<std::pair<int64_t, int64_t>>{{3, 8}}));
}

// Three accounts of one program would vouch for one another, if each were measured beside the others.
TEST(Suspicion, ARingOfCopiesIsFound) {
  auto labels = simulated_labels(8, 400, 4, 6, right_85);
  std::vector<Label> copies;
  for (const Label& label : labels)
    if (label.annotator == 3)
      for (const int64_t copy : {8, 9, 10}) copies.push_back({copy, label.item, label.category});
  labels.insert(labels.end(), copies.begin(), copies.end());
  int64_t found = 0;
  for (const Sign& sign : copying_signs(labels)) {
    const auto in_ring = [](int64_t who) { return who == 3 || who >= 8; };
    const bool both = in_ring(sign.annotator) && in_ring(sign.other);
    found += both && sign.corrected < 0.05;
    EXPECT_TRUE(both || sign.corrected > 0.05) << sign.annotator << " " << sign.other;
  }
  EXPECT_EQ(found, 6);
}

// The two best of a mediocre crowd agree more with one another than with anybody else.
TEST(Suspicion, TheBestTwoAreNoCopies) {
  const auto crowd = [](int64_t annotator, int64_t) { return annotator < 2 ? 0.97 : 0.68; };
  const auto labels = simulated_labels(10, 900, 5, 12, crowd);
  for (const Sign& sign : copying_signs(labels))
    EXPECT_GT(sign.corrected, 0.05) << sign.annotator << " " << sign.other;
}

// Hostile annotators agree with one another because all say the contrary, independently: no copies.
TEST(Suspicion, ThoseWhoSayTheContraryAreNoCopies) {
  const auto crowd = [](int64_t annotator, int64_t) { return annotator < 10 ? 0.85 : 0.1; };
  const auto labels = simulated_labels(14, 600, 5, 7, crowd);
  for (const Sign& sign : copying_signs(labels))
    EXPECT_GT(sign.corrected, 0.05) << sign.annotator << " " << sign.other;
}

// Three of ten turn every fourth item around, the same ones, and are honest elsewhere.
TEST(Suspicion, TargetedCollusionShowsAsAgreement) {
  const auto crowd = [](int64_t annotator, int64_t item) {
    return annotator < 3 && item % 8 < 2 ? 0.02 : 0.85;
  };
  const auto labels = simulated_labels(10, 2000, 4, 8, crowd);
  int64_t together = 0;
  for (const Sign& sign : copying_signs(labels)) {
    const bool both = sign.annotator < 3 && sign.other < 3;
    together += both && sign.corrected < 0.05;
    EXPECT_TRUE(both || sign.corrected > 0.05) << sign.annotator << " " << sign.other;
  }
  EXPECT_EQ(together, 3);
}

// Honest crowds of unequal skill, on items of unequal difficulty, of which nobody should be suspected: the
// correction promises that in 95 of 100 crowds. Items -1 and 1 are read as shorter and longer, too.
TEST(Suspicion, HonestCrowdsAreSeldomSuspected) {
  int copies = 0, lengths = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const auto crowd = [](int64_t annotator, int64_t item) {
      const double skill = 0.7 + 0.025 * static_cast<double>(annotator);
      return item % 3 == 0 ? 0.5 + (skill - 0.5) / 2 : skill;
    };
    auto labels = simulated_labels(12, 400, 4, 200 + seed, crowd);
    const auto suspected = [](const std::vector<Sign>& signs) {
      return std::any_of(signs.begin(), signs.end(), [](const Sign& sign) { return sign.corrected < 0.05; });
    };
    copies += suspected(copying_signs(labels));
    for (Label& label : labels) label.category = label.category == 1;
    lengths += suspected(length_signs(labels));
  }
  EXPECT_LE(copies, 4) << "of 40";
  EXPECT_LE(lengths, 4) << "of 40";
}

}  // namespace
}  // namespace keel
