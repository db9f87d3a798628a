#include "keel/statistics/dawid_skene.h"

#include <gtest/gtest.h>

#include <numeric>

#include "keel/base/error.h"
#include "statistics/annotators.h"

namespace keel {
namespace {

void expect_equal(const DawidSkene& fit, const Json& golden, double tolerance) {
  const size_t n = fit.categories.size();
  for (size_t c = 0; c < n; ++c) EXPECT_NEAR(fit.prior[c], golden["prior"][c].get<double>(), tolerance) << c;
  for (size_t a = 0; a < fit.annotators.size(); ++a)
    for (size_t t = 0; t < n; ++t)
      for (size_t l = 0; l < n; ++l)
        EXPECT_NEAR(fit.confused(a, t, l), golden["confusion"][a][t][l].get<double>(), tolerance)
            << a << " " << t << " " << l;
  for (size_t i = 0; i < fit.items.size(); ++i)
    for (size_t c = 0; c < n; ++c)
      EXPECT_NEAR(fit.probability(i, c), golden["posterior"][i][c].get<double>(), tolerance) << i << " " << c;
}

TEST(DawidSkene, TheirAnaesthetistsEqualCrowdKits) {
  const Json golden = statistics_golden_file("annotators").at("anaesthetists");
  expect_equal(dawid_skene(golden_labels(golden)), golden, 1e-5);
}

// The paper's estimates of how often each grade occurs, with the first observer's three readings as one
// observer's.
TEST(DawidSkene, TheirGradesAreAsPublished) {
  auto labels = golden_labels(statistics_golden_file("annotators").at("anaesthetists"));
  for (Label& label : labels) label.annotator = std::max<int64_t>(label.annotator, 2);  // one, three times
  const auto fit = dawid_skene(labels);
  const std::vector<double> published = {0.40, 0.42, 0.11, 0.07};
  for (size_t c = 0; c < 4; ++c) EXPECT_NEAR(fit.prior[c], published[c], 0.005) << c;
}

TEST(DawidSkene, TwoCategoriesEqualCrowdKits) {
  const Json golden = statistics_golden_file("annotators").at("crowd");
  expect_equal(dawid_skene(golden_labels(golden)), golden["full"], 1e-5);
  expect_equal(dawid_skene(golden_labels(golden), {.confusion = Confusion::one_coin}), golden["one_coin"],
               1e-5);
}

// Two annotators, one item: posterior odds are those of the prior times each one's.
TEST(DawidSkene, TheLikelihoodIsOfTheLabelsGivenTheFit) {
  const auto labels = golden_labels(statistics_golden_file("annotators").at("crowd"));
  const auto fit = dawid_skene(labels);
  std::vector<double> joint(fit.items.size() * 2);
  for (size_t i = 0; i < joint.size(); ++i) joint[i] = fit.prior[i % 2];
  for (const auto& [annotator, item, category] : labels)
    for (size_t truth = 0; truth < 2; ++truth)
      joint[static_cast<size_t>(item) * 2 + truth] *=
          fit.confused(static_cast<size_t>(annotator), truth, static_cast<size_t>(category));
  double sum = 0;
  for (size_t item = 0; item < fit.items.size(); ++item)
    sum += std::log(joint[item * 2] + joint[item * 2 + 1]);
  EXPECT_NEAR(fit.log_likelihood, sum, 1e-6);
}

TEST(DawidSkene, TurnedAroundEverythingFitsAsWell) {
  const auto labels = golden_labels(statistics_golden_file("annotators").at("crowd"));
  DawidSkeneOptions options{.confusion = Confusion::one_coin, .even_prior = true, .smoothing = 1};
  const auto fit = dawid_skene(labels, options);
  options.against_majority = true;
  const auto other = dawid_skene(labels, options);
  EXPECT_NEAR(fit.log_likelihood, other.log_likelihood, 1e-6);
  for (size_t a = 0; a < fit.annotators.size(); ++a)
    EXPECT_NEAR(fit.accuracy(a), 1 - other.accuracy(a), 1e-6) << a;
}

TEST(DawidSkene, KnownItemsAreNotGuessedAt) {
  const auto labels = golden_labels(statistics_golden_file("annotators").at("crowd"));
  DawidSkeneOptions options;
  for (int64_t item = 0; item < 20; ++item) options.gold[item] = item % 2;
  options.gold[123456] = 1;  // that nobody labelled
  const auto fit = dawid_skene(labels, options);
  for (size_t item = 0; item < 20; ++item) EXPECT_EQ(fit.probability(item, item % 2), 1.0);
}

TEST(DawidSkene, PseudoCountsHoldWhoIsSeldomSeen) {
  std::vector<Label> labels;
  for (int64_t item = 0; item < 10; ++item)
    for (int64_t annotator = 0; annotator < 3; ++annotator) labels.push_back({annotator, item, item % 2});
  const auto fit = dawid_skene(labels, {.confusion = Confusion::one_coin, .smoothing = 1});
  EXPECT_LT(fit.accuracy(0), 11.0 / 12);  // (10 + 1) / (10 + 2), were the truths known
  EXPECT_GT(fit.accuracy(0), 0.85);
}

TEST(DawidSkene, WhatIsNoLabelIsRefused) {
  EXPECT_THROW(dawid_skene({}), Error);
  const std::vector<Label> one = {{1, 1, 0}};
  EXPECT_THROW(dawid_skene(one, {.smoothing = -1}), Error);
  EXPECT_THROW(dawid_skene(one, {.gold = {{1, 5}}}), Error);
  EXPECT_THROW(dawid_skene(one, {.against_majority = true}), Error);
}

}  // namespace
}  // namespace keel
