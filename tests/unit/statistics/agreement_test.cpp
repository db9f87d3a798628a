#include "keel/statistics/agreement.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "statistics/golden.h"

namespace keel {
namespace {

const Bootstrap kBootstrap{.seed = 3, .resamples = 4000};

// Rows are items, columns annotators; null is a missing label.
std::vector<Label> labels_of(const Json& rows) {
  std::vector<Label> labels;
  for (size_t item = 0; item < rows.size(); ++item) {
    for (size_t annotator = 0; annotator < rows[item].size(); ++annotator) {
      if (rows[item][annotator].is_null()) continue;
      labels.push_back({static_cast<int64_t>(annotator), static_cast<int64_t>(item), rows[item][annotator]});
    }
  }
  return labels;
}

void expect_golden(const std::optional<Estimate>& estimate, const Json& golden) {
  ASSERT_TRUE(estimate);
  const double deviation = golden["deviation"];
  EXPECT_NEAR(estimate->value, golden["value"].get<double>(), 1e-12);
  EXPECT_NEAR(estimate->standard_error, deviation, 0.06 * deviation);
  EXPECT_NEAR(estimate->interval.low, golden["low"].get<double>(), 0.2 * deviation);
  EXPECT_NEAR(estimate->interval.high, golden["high"].get<double>(), 0.2 * deviation);
}

TEST(Agreement, KappasOfTwoEqualScikitLearn) {
  const Json golden = statistics_golden_file("agreement");
  const auto labels = labels_of(golden["full"]);
  const std::pair<KappaWeights, const char*> kinds[] = {
      {KappaWeights::none, "none"}, {KappaWeights::linear, "linear"}, {KappaWeights::quadratic, "quadratic"}};
  for (const auto& [weights, name] : kinds) {
    const auto pairs = pairwise_agreement(labels, weights, {.resamples = 10});
    ASSERT_EQ(pairs.size(), 15u);
    for (size_t i = 0; i < pairs.size(); ++i) {
      const Json& expected = golden["pairs"][i];
      EXPECT_EQ(pairs[i].first, expected["first"].get<int64_t>());
      EXPECT_EQ(pairs[i].second, expected["second"].get<int64_t>());
      EXPECT_EQ(pairs[i].agreement.count, 50);
      EXPECT_NEAR(pairs[i].agreement.value, expected["agreement"].get<double>(), 1e-12);
      EXPECT_NEAR(pairs[i].kappa->value, expected[name].get<double>(), 1e-12) << name;
    }
  }
}

TEST(Agreement, IntervalsOverItemsAgreeWithTheLibraries) {
  const Json golden = statistics_golden_file("agreement");
  const auto full = labels_of(golden["full"]), holed = labels_of(golden["holed"]);
  expect_golden(pairwise_agreement(full, KappaWeights::linear, kBootstrap)[0].kappa, golden["cohen"]);
  expect_golden(fleiss_kappa(full, kBootstrap), golden["fleiss"]);
  expect_golden(percent_agreement(holed, kBootstrap), golden["percent"]);
  expect_golden(krippendorff_alpha(holed, Scale::nominal, kBootstrap), golden["alpha_nominal"]);
  expect_golden(krippendorff_alpha(holed, Scale::ordinal, kBootstrap), golden["alpha_ordinal"]);
  expect_golden(krippendorff_alpha(holed, Scale::interval, kBootstrap), golden["alpha_interval"]);
}

// Fleiss 1971, table 1: 30 patients, six psychiatrists each, counts of five diagnoses. He finds 0.430.
TEST(Agreement, EqualsFleissWorkedExample) {
  const int counts[30][5] = {
      {0, 0, 0, 6, 0}, {0, 3, 0, 0, 3}, {0, 1, 4, 0, 1}, {0, 0, 0, 0, 6}, {0, 3, 0, 3, 0}, {2, 0, 4, 0, 0},
      {0, 0, 4, 0, 2}, {2, 0, 3, 1, 0}, {2, 0, 0, 4, 0}, {0, 0, 0, 0, 6}, {1, 0, 0, 5, 0}, {1, 1, 0, 4, 0},
      {0, 3, 3, 0, 0}, {1, 0, 0, 5, 0}, {0, 2, 0, 3, 1}, {0, 0, 5, 0, 1}, {3, 0, 0, 1, 2}, {5, 1, 0, 0, 0},
      {0, 2, 0, 4, 0}, {1, 0, 2, 0, 3}, {0, 0, 0, 0, 6}, {0, 1, 0, 5, 0}, {0, 2, 0, 1, 3}, {2, 0, 0, 4, 0},
      {1, 0, 0, 4, 1}, {0, 5, 0, 1, 0}, {4, 0, 0, 0, 2}, {0, 2, 0, 4, 0}, {1, 0, 5, 0, 0}, {0, 0, 0, 0, 6}};
  std::vector<Label> labels;
  for (int64_t patient = 0; patient < 30; ++patient) {
    int64_t psychiatrist = 0;
    for (int64_t diagnosis = 0; diagnosis < 5; ++diagnosis) {
      for (int i = 0; i < counts[patient][diagnosis]; ++i) {
        labels.push_back({psychiatrist++, patient, diagnosis});
      }
    }
  }
  const auto kappa = fleiss_kappa(labels, kBootstrap);
  EXPECT_NEAR(kappa->value, 0.430, 5e-4);
  EXPECT_EQ(kappa->count, 30);
  EXPECT_LT(kappa->interval.low, 0.430);
  EXPECT_GT(kappa->interval.high, 0.430);
}

// Krippendorff 2011, section C: four observers, twelve units, missing data; 0.743, 0.815 and 0.849.
TEST(Agreement, EqualsKrippendorffsWorkedExample) {
  const Json observers = Json::parse(R"([[1, 2, 3, 3, 2, 1, 4, 1, 2, null, null, null],
                                         [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, null, 3],
                                         [null, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, null],
                                         [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, null]])");
  std::vector<Label> labels = labels_of(observers);
  for (auto& label : labels) std::swap(label.annotator, label.item);
  EXPECT_NEAR(krippendorff_alpha(labels, Scale::nominal, kBootstrap)->value, 0.743, 5e-4);
  EXPECT_NEAR(krippendorff_alpha(labels, Scale::ordinal, kBootstrap)->value, 0.815, 5e-4);
  EXPECT_NEAR(krippendorff_alpha(labels, Scale::interval, kBootstrap)->value, 0.849, 5e-4);
  EXPECT_EQ(krippendorff_alpha(labels, Scale::nominal, kBootstrap)->count, 11);
}

TEST(Agreement, PerfectAndOppositeAndNothing) {
  const std::vector<Label> perfect = {{1, 1, 0}, {2, 1, 0}, {1, 2, 1}, {2, 2, 1}};
  EXPECT_NEAR(krippendorff_alpha(perfect, Scale::nominal, kBootstrap)->value, 1, 1e-12);
  EXPECT_NEAR(fleiss_kappa(perfect, kBootstrap)->value, 1, 1e-12);
  EXPECT_NEAR(percent_agreement(perfect, kBootstrap)->value, 1, 1e-12);
  const std::vector<LabelPair> opposite = {{0, 1}, {1, 0}};
  EXPECT_NEAR(cohen_kappa(opposite, KappaWeights::none, kBootstrap)->value, -1, 1e-12);
  const std::vector<Label> equal = {{1, 1, 0}, {2, 1, 0}, {1, 2, 0}, {2, 2, 0}},
                           alone = {{1, 1, 0}, {2, 2, 1}};
  EXPECT_FALSE(krippendorff_alpha(equal, Scale::ordinal, kBootstrap));
  EXPECT_FALSE(fleiss_kappa(equal, kBootstrap));
  EXPECT_FALSE(pairwise_agreement(equal, KappaWeights::none, kBootstrap)[0].kappa);
  EXPECT_NEAR(percent_agreement(equal, kBootstrap)->value, 1, 1e-12);
  EXPECT_FALSE(percent_agreement(alone, kBootstrap));
  EXPECT_FALSE(krippendorff_alpha(alone, Scale::nominal, kBootstrap));
  EXPECT_FALSE(cohen_kappa({}, KappaWeights::none, kBootstrap));
  EXPECT_FALSE(fleiss_kappa({}, kBootstrap));
  EXPECT_TRUE(pairwise_agreement(alone, KappaWeights::none, kBootstrap).empty());
}

TEST(Agreement, RefusesDoubleLabelsAndUnequalItems) {
  const std::vector<Label> twice = {{1, 1, 0}, {1, 1, 1}}, unequal = {{1, 1, 0}, {2, 1, 0}, {1, 2, 1}};
  EXPECT_THROW(percent_agreement(twice, kBootstrap), Error);
  EXPECT_THROW(pairwise_agreement(twice, KappaWeights::none, kBootstrap), Error);
  EXPECT_THROW(fleiss_kappa(unequal, kBootstrap), Error);
}

}  // namespace
}  // namespace keel
