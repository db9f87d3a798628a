#include "keel/statistics/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "keel/base/error.h"
#include "statistics/golden.h"

namespace keel {
namespace {

std::vector<Prediction> golden_predictions(const Json& golden) {
  std::vector<Prediction> predictions;
  for (size_t i = 0; i < golden["probability"].size(); ++i) {
    predictions.push_back({golden["probability"][i].get<double>(), golden["happened"][i].get<bool>()});
  }
  return predictions;
}

TEST(Calibration, EqualsScikitLearn) {
  const Json golden = statistics_golden("calibration");
  const Calibration result = calibration(golden_predictions(golden), 8);
  ASSERT_EQ(result.bins.size(), 8u);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(result.bins[i].count, golden["count"][i].get<int64_t>()) << i;
    EXPECT_NEAR(result.bins[i].frequency, golden["frequency"][i].get<double>(), 1e-12) << i;
    EXPECT_NEAR(result.bins[i].mean_probability, golden["mean"][i].get<double>(), 1e-12) << i;
  }
  EXPECT_NEAR(result.expected_error, golden["expected_error"].get<double>(), 1e-12);
  EXPECT_NEAR(result.log_loss, golden["log_loss"].get<double>(), 1e-9);
  EXPECT_NEAR(result.brier, golden["brier"].get<double>(), 1e-12);
}

TEST(Calibration, FoldedPairsFallInTheUpperHalf) {
  const Prediction right = pair_prediction(2, 1), wrong = pair_prediction(1, 3);
  EXPECT_NEAR(right.probability, 1 / (1 + std::exp(-1.0)), 1e-12);
  EXPECT_TRUE(right.happened);
  EXPECT_NEAR(wrong.probability, 1 / (1 + std::exp(-2.0)), 1e-12);
  EXPECT_FALSE(wrong.happened);
  const Calibration result = calibration(std::vector{right, wrong, pair_prediction(0, 0)}, 5, 0.5);
  EXPECT_EQ(result.bins.front().low, 0.5);
  EXPECT_EQ(result.bins.back().high, 1);
  EXPECT_EQ(result.bins.front().count, 1);  // the tie, at exactly 0.5
  EXPECT_EQ(result.bins[2].count, 1);       // 0.731 in (0.7, 0.8]
  EXPECT_EQ(result.bins[3].count, 1);       // 0.881 in (0.8, 0.9]
  EXPECT_EQ(result.bins[4].count, 0);
  EXPECT_EQ(result.bins[4].interval.high, 1);
}

TEST(Calibration, RefusesNoPredictionsAndImpossibleOnes) {
  EXPECT_THROW(calibration({}), Error);
  EXPECT_THROW(calibration(std::vector<Prediction>{{1.5, true}}), Error);
  EXPECT_THROW(calibration(std::vector<Prediction>{{std::nan(""), true}}), Error);
  EXPECT_THROW(calibration(std::vector<Prediction>{{0.4, true}}, 10, 0.5), Error);
}

}  // namespace
}  // namespace keel
