#include "keel/statistics/beta_distribution.h"

#include <cmath>

namespace keel {
namespace {

// The continued fraction at x < (a + 1) / (a + b + 2), where it converges fast.
double continued_fraction(double a, double b, double x) {
  constexpr int kTerms = 10000;
  constexpr double kTiny = 1e-300, kNear = 1e-15;
  const auto nonzero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1, d = 1 / nonzero(1 - (a + b) * x / (a + 1)), value = d;
  for (int m = 1; m <= kTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonzero(1 + even * d), c = nonzero(1 + even / c), value *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonzero(1 + odd * d), c = nonzero(1 + odd / c);
    value *= d * c;
    if (std::abs(d * c - 1) < kNear) break;
  }
  return value;
}

double lower_tail(double a, double b, double x) {
  return std::exp(a * std::log(x) + b * std::log1p(-x) - log_beta(a, b)) / a * continued_fraction(a, b, x);
}

}  // namespace

double log_beta(double a, double b) {
  return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
}

double beta_probability(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  return x < (a + 1) / (a + b + 2) ? lower_tail(a, b, x) : 1 - lower_tail(b, a, 1 - x);
}

double beta_quantile(double a, double b, double probability) {
  double low = 0, high = 1;
  for (int halved = 0; halved < 100 && low < high; ++halved) {
    const double middle = (low + high) / 2;
    (beta_probability(a, b, middle) < probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

Interval beta_interval(double a, double b, double confidence) {
  const double tail = (1 - confidence) / 2;
  return {beta_quantile(a, b, tail), beta_quantile(a, b, 1 - tail)};
}

}  // namespace keel
