#include "keel/statistics/confidence_sequence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "keel/base/error.h"
#include "keel/base/random.h"
#include "statistics/golden.h"

namespace keel {
namespace {

TEST(ConfidenceSequence, TheMixtureEqualsConfseqs) {
  const Json log_mixture_at_half_golden = statistics_golden_file("tests").at("log_mixture_at_half");
  for (const Json& row : log_mixture_at_half_golden)
    EXPECT_NEAR(log_evidence_against(0.5, row[0], row[1]), row[2].get<double>(), 1e-9) << row;
}

TEST(ConfidenceSequence, BoundsAreWhereScipyFindsThem) {
  const Json bounds_golden = statistics_golden_file("tests").at("bounds");
  for (const Json& row : bounds_golden) {
    const Interval interval = confidence_sequence(row[0], row[1], 0.95);
    EXPECT_NEAR(interval.low, row[2].get<double>(), 1e-9) << row;
    EXPECT_NEAR(interval.high, row[3].get<double>(), 1e-9) << row;
  }
  EXPECT_EQ(confidence_sequence(0, 0).high, 1);
}

// How many of 400 simulated stores, looked at after every vote up to 1,000, are ever called decided.
int alarms(const std::function<double(RandomSequence&)>& vote, double confidence) {
  int decided = 0;
  for (uint32_t store = 0; store < 400; ++store) {
    RandomSequence draws({.seed = 3, .stream = Stream::annotators, .prompt = store});
    double sum = 0;
    for (int64_t n = 1; n <= 1000; ++n) {
      sum += vote(draws);
      if (log_evidence_against(0.5, sum, n) < -std::log(1 - confidence)) continue;
      ++decided;
      break;
    }
  }
  return decided;
}

TEST(ConfidenceSequence, EqualModelsAreSeldomCalledDecidedHoweverOftenOneLooks) {
  const auto coin = [](RandomSequence& draws) { return draws.uniform() < 0.5 ? 1.0 : 0.0; };
  const auto with_ties = [](RandomSequence& draws) {
    const double u = draws.uniform();
    return u < 0.3 ? 0.5 : u < 0.65 ? 1.0 : 0.0;
  };
  EXPECT_LE(alarms(coin, 0.95), 20);  // of 400
  EXPECT_LE(alarms(coin, 0.8), 80);
  EXPECT_GE(alarms(coin, 0.8), 10);  // and no more cautious than it must be
  EXPECT_LE(alarms(with_ties, 0.95), 20);
}

TEST(ConfidenceSequence, ADifferenceIsFound) {
  const auto better = [](RandomSequence& draws) { return draws.uniform() < 0.6 ? 1.0 : 0.0; };
  EXPECT_GE(alarms(better, 0.95), 395);
}

TEST(ConfidenceSequence, SaysWhatIsDecidedAndKeepsToIt) {
  std::vector<double> votes(12, 1.0);
  const Certificate better = certify(votes);
  EXPECT_EQ(better.verdict, Verdict::better);
  EXPECT_EQ(better.decided_after, 7);
  EXPECT_GT(better.interval.low, 0.5);
  EXPECT_FALSE(better.more);
  for (int i = 0; i < 12; ++i) votes.push_back(0);
  const Certificate still = certify(votes);
  EXPECT_EQ(still.verdict, Verdict::better);
  EXPECT_EQ(still.rate, 0.5);
  EXPECT_GT(still.interval.low, 0.5);  // what was refuted once
  for (double& vote : votes) vote = 1 - vote;
  EXPECT_EQ(certify(votes).verdict, Verdict::worse);
}

// Five wins of five are not enough; two more would be.
TEST(ConfidenceSequence, SaysAboutHowManyVotesAreMissing) {
  const Certificate soon = certify(std::vector<double>(5, 1.0));
  EXPECT_EQ(soon.verdict, Verdict::undecided);
  EXPECT_EQ(soon.more, 2);
  EXPECT_FALSE(certify({}).more);
  EXPECT_FALSE(certify(std::vector<double>(10, 0.5)).more);
}

TEST(ConfidenceSequence, WhatIsNoVoteIsRefused) {
  EXPECT_THROW(certify(std::vector<double>{1.5}), Error);
  EXPECT_THROW(certify(std::vector<double>{NAN}), Error);
  EXPECT_THROW(certify({}, 1), Error);
}

}  // namespace
}  // namespace keel
