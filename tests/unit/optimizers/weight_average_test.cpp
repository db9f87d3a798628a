#include "keel/optimizers/weight_average.h"

#include <gtest/gtest.h>

namespace keel {
namespace {

double value_of(const Tensor& weight) {
  return weight[0].item().toDouble();
}

TEST(WeightAverage, WeighsEachStepByItsAgeFromTheFirstOn) {
  const Tensor weight = at::zeros({1}, at::kDouble);
  WeightAverage average({{"w", weight}}, 0.5);
  double sum = 0, weights = 0;
  for (const double value : {3.0, -1.0, 4.0, 10.0}) {
    weight.fill_(value);
    average.add();
    sum = 0.5 * sum + value;
    weights = 0.5 * weights + 1;
    average.exchange();
    EXPECT_NEAR(value_of(weight), sum / weights, 1e-12);
    average.exchange();
    EXPECT_EQ(value_of(weight), value);
  }
}

TEST(WeightAverage, WithoutADecayItIsTheWeightsThemselves) {
  const Tensor weight = at::full({1}, 2.0);
  WeightAverage average({{"w", weight}}, 0);
  average.add();
  average.exchange();
  EXPECT_EQ(value_of(weight), 2);
}

}  // namespace
}  // namespace keel
