#include "keel/statistics/annotator_camps.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "statistics/annotators.h"

namespace keel {
namespace {

// The experiment of docs/results/reliability.md: 10 are right 85 % of the time, 6 say the contrary, 4
// anything.
double issue_crowd(int64_t annotator, int64_t) {
  return annotator < 10 ? 0.85 : annotator < 16 ? 0.0 : 0.5;
}

std::map<int64_t, int64_t> gold_of(int64_t items) {
  std::map<int64_t, int64_t> gold;
  for (int64_t item = 0; item < items; ++item) gold[item] = item % 2 == 0 ? 1 : -1;
  return gold;
}

size_t counted(const Camps& camps, Side side, int64_t from, int64_t to) {
  size_t count = 0;
  for (const auto& one : camps.annotators)
    count += one.side == side && one.annotator >= from && one.annotator < to;
  return count;
}

TEST(AnnotatorCamps, FindsTheCarelessAndThoseWhoSayTheContrary) {
  const auto camps = annotator_camps(simulated_labels(20, 2000, 3, 1, issue_crowd), {.most_hostile = 0.6});
  EXPECT_EQ(camps.belief, Belief::majority);
  EXPECT_EQ(counted(camps, Side::with, 0, 10), 10u);
  EXPECT_EQ(counted(camps, Side::against, 10, 16), 6u);
  EXPECT_EQ(counted(camps, Side::chance, 16, 20), 4u);
  double honest = 0;
  for (size_t i = 0; i < 10; ++i) honest += camps.annotators[i].accuracy / 10;
  EXPECT_NEAR(honest, 0.85, 0.02);
  EXPECT_NEAR(camps.annotators[12].accuracy, 0.0, 0.02);
}

// With ten of sixteen the other camp would be a majority, too, if five eighths were hostile.
TEST(AnnotatorCamps, AMajorityIsNotBelievedWhenAsManyMayBeHostile) {
  const auto labels = simulated_labels(20, 2000, 3, 1, issue_crowd);
  EXPECT_EQ(annotator_camps(labels).belief, Belief::none);
  EXPECT_EQ(annotator_camps(labels, {.gold = gold_of(30)}).belief, Belief::gold);
}

TEST(AnnotatorCamps, MoreThanHalfHostileCannotBeToldWithoutGold) {
  const auto mostly_hostile = [](int64_t annotator, int64_t) { return annotator < 8 ? 0.85 : 0.1; };
  const auto labels = simulated_labels(20, 1000, 3, 2, mostly_hostile);
  const auto camps = annotator_camps(labels);
  EXPECT_EQ(camps.belief, Belief::none);
  EXPECT_EQ(counted(camps, Side::with, 8, 20), 12u);  // what labels alone look like
  const auto told = annotator_camps(labels, {.gold = gold_of(20)});
  EXPECT_EQ(told.belief, Belief::gold);
  EXPECT_EQ(counted(told, Side::with, 0, 8), 8u);
  EXPECT_EQ(counted(told, Side::against, 8, 20), 12u);
}

// A gold answer may be wrong itself, and one is no proof.
TEST(AnnotatorCamps, OneGoldItemDoesNotDecide) {
  const auto labels = simulated_labels(20, 2000, 3, 1, issue_crowd);
  for (int64_t item = 0; item < 20; ++item) {
    const auto camps = annotator_camps(labels, {.gold = {{item, item % 2 == 0 ? 1 : -1}}});
    EXPECT_EQ(camps.belief, Belief::none);
    EXPECT_LE(camps.gold_evidence, std::log(19.0) + 1e-9);
  }
}

TEST(AnnotatorCamps, HonestAnnotatorsAreNotContradicted) {
  const auto honest = [](int64_t annotator, int64_t) { return annotator % 2 == 0 ? 0.9 : 0.7; };
  const auto camps = annotator_camps(simulated_labels(8, 400, 3, 3, honest));
  EXPECT_EQ(camps.belief, Belief::uncontradicted);
  EXPECT_EQ(camps.with, 8);
}

// At least 90 of 100 simulated intervals hold the accuracy that labels were drawn with (nominally 95).
TEST(AnnotatorCamps, IntervalsHoldTheTrueAccuracy) {
  int held = 0, asked = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const auto right = [](int64_t annotator, int64_t) { return 0.6 + 0.05 * static_cast<double>(annotator); };
    const auto camps = annotator_camps(simulated_labels(8, 200, 4, 100 + seed, right));
    for (const auto& one : camps.annotators) {
      const double truth = right(one.annotator, 0);
      held += one.interval.low <= truth && truth <= one.interval.high, ++asked;
    }
  }
  EXPECT_GE(held, asked * 90 / 100);
  EXPECT_LE(held, asked * 99 / 100);
}

// Always the same side, too: what nobody said is possible all the same.
TEST(AnnotatorCamps, OneSideAloneIsNoAgreement) {
  std::vector<Label> labels;
  for (int64_t item = 0; item < 5; ++item) labels.push_back({7, item, 1});
  const auto camps = annotator_camps(labels);
  EXPECT_EQ(camps.annotators[0].side, Side::unclear);
  EXPECT_NEAR(camps.annotators[0].accuracy, 0.5, 1e-6);
}

TEST(AnnotatorCamps, WhoeverLabelsAloneIsNotKnown) {
  auto labels = simulated_labels(6, 300, 3, 4, [](int64_t, int64_t) { return 0.9; });
  for (int64_t item = 1000; item < 1100; ++item) labels.push_back({77, item, 1});
  const auto camps = annotator_camps(labels);
  const AnnotatorAccuracy& alone = camps.annotators.back();
  EXPECT_EQ(alone.annotator, 77);
  EXPECT_EQ(alone.labels, 100);
  EXPECT_EQ(alone.shared, 0);
  EXPECT_EQ(alone.side, Side::unclear);
  EXPECT_LT(alone.interval.low, 0.2);
}

// The share of wrong votes of the majority that the posterior repairs.
TEST(AnnotatorCamps, ThePosteriorRepairsMostOfTheMajoritysErrors) {
  int majority_wrong = 0, posterior_wrong = 0;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const auto labels = simulated_labels(20, 2000, 3, 10 + seed, issue_crowd);
    const auto camps = annotator_camps(labels, {.most_hostile = 0.6});
    std::map<int64_t, int64_t> votes;
    for (const Label& label : labels) votes[label.item] += label.category;
    for (size_t item = 0; item < camps.fit.items.size(); ++item) {
      const int64_t name = camps.fit.items[item], truth = name % 2 == 0 ? 1 : -1;
      majority_wrong += votes[name] * truth < 0;
      posterior_wrong += camps.right(item, truth == 1 ? 1 : 0) < 0.5;
    }
  }
  RecordProperty("majority_wrong", majority_wrong);
  RecordProperty("posterior_wrong", posterior_wrong);
  EXPECT_GT(majority_wrong, 3500);                 // of 10,000
  EXPECT_LT(posterior_wrong, majority_wrong / 5);  // four fifths are repaired
}

TEST(AnnotatorCamps, WhatHasNotTwoSidesIsRefused) {
  const std::vector<Label> three = {{1, 1, 0}, {1, 2, 1}, {1, 3, 2}}, two = {{1, 1, -1}, {1, 2, 1}};
  EXPECT_THROW(annotator_camps({}), Error);
  EXPECT_THROW(annotator_camps(three), Error);
  EXPECT_THROW(annotator_camps(two, {.most_hostile = 0.4}), Error);
  EXPECT_THROW(annotator_camps(two, {.gold = {{1, 7}}}), Error);
}

}  // namespace
}  // namespace keel
