#include "keel/statistics/correlation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>

#include "keel/base/error.h"
#include "keel/statistics/moments.h"

namespace keel {
namespace {

void check_sizes(const char* where, size_t first, size_t second) {
  if (first == second) return;
  throw Error(where, "expected two lists of one length, got " + std::to_string(first) + " and " +
                         std::to_string(second) + " values: measure every unit on both sides");
}

std::vector<double> without_group_means(std::span<const double> values, std::span<const int64_t> group) {
  struct Sum {
    double sum = 0, count = 0;
  };
  std::map<int64_t, Sum> sums;
  for (size_t i = 0; i < values.size(); ++i) sums[group[i]].sum += values[i], sums[group[i]].count += 1;
  std::vector<double> residuals;
  for (size_t i = 0; i < values.size(); ++i) {
    const Sum& of_group = sums[group[i]];
    residuals.push_back(values[i] - of_group.sum / of_group.count);
  }
  return residuals;
}

}  // namespace

std::optional<double> pearson(std::span<const double> x, std::span<const double> y) {
  check_sizes("pearson", x.size(), y.size());
  const auto n = static_cast<double>(x.size());
  const double mean_x = mean(x), mean_y = mean(y);
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double dx = x[i] - mean_x, dy = y[i] - mean_y;
    xx += dx * dx, yy += dy * dy, xy += dx * dy;
  }
  // Rounding leaves constant measures a spread near 1e-16 of their size.
  const double tiny = 1e-28 * n;
  if (xx <= tiny * mean_x * mean_x || yy <= tiny * mean_y * mean_y || xx == 0 || yy == 0) return std::nullopt;
  return xy / std::sqrt(xx) / std::sqrt(yy);
}

std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    // the mean of the ranks begin + 1 .. end
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + 1 + end) / 2;
  }
  return ranks;
}

std::optional<double> spearman(std::span<const double> x, std::span<const double> y) {
  check_sizes("spearman", x.size(), y.size());
  return pearson(average_ranks(x), average_ranks(y));
}

std::optional<double> within_group_correlation(std::span<const double> x, std::span<const double> y,
                                               std::span<const int64_t> group) {
  check_sizes("within_group_correlation", x.size(), y.size());
  check_sizes("within_group_correlation", x.size(), group.size());
  return pearson(without_group_means(x, group), without_group_means(y, group));
}

}  // namespace keel
