#include "keel/statistics/best_of_n.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "keel/base/error.h"
#include "statistics/golden.h"

namespace keel {
namespace {

TEST(BestOfN, EqualsTheMeanOverAllSubsetsTiesIncluded) {
  const Json golden = statistics_golden("best_of_n");
  const auto proxy = golden_list(golden, "proxy"), value = golden_list(golden, "value");
  for (int64_t n = 1; n <= 9; ++n) {
    EXPECT_NEAR(best_of_n(proxy, value, n), golden["expected"][static_cast<size_t>(n - 1)].get<double>(),
                1e-12)
        << n;
  }
}

// The largest of n out of 1..m has the mean n (m + 1) / (n + 1); C(2000, 300) overflows a double.
TEST(BestOfN, EqualsTheClosedFormWhereBinomialsOverflow) {
  std::vector<double> ranks(2000);
  std::iota(ranks.begin(), ranks.end(), 1.0);
  for (const int64_t n : {1, 2, 300, 1000, 1999, 2000}) {
    const double expected = static_cast<double>(n) * 2001.0 / static_cast<double>(n + 1);
    EXPECT_NEAR(best_of_n(ranks, ranks, n), expected, 1e-8 * expected) << n;
  }
}

TEST(BestOfN, RefusesMoreThanThereAre) {
  const std::vector<double> two = {1, 2}, three = {1, 2, 3};
  EXPECT_THROW(best_of_n(two, two, 3), Error);
  EXPECT_THROW(best_of_n(two, two, 0), Error);
  EXPECT_THROW(best_of_n(two, three, 1), Error);
}

// The optimal order of n exponential draws, by integration: the KL of the maximum's density n F^(n-1) f to f.
TEST(BestOfN, DivergenceEqualsNumericalIntegration) {
  for (const int64_t n : {1, 4, 64}) {
    const int steps = 200000;
    double divergence = 0;
    for (int i = 0; i < steps; ++i) {
      const double u = (i + 0.5) / steps,
                   density = static_cast<double>(n) * std::pow(u, static_cast<double>(n - 1));
      if (density > 0) divergence += density * std::log(density) / steps;
    }
    EXPECT_NEAR(best_of_n_kl(n), divergence, 1e-5) << n;
  }
  EXPECT_THROW(best_of_n_kl(0), Error);
}

}  // namespace
}  // namespace keel
