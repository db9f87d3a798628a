#include "keel/statistics/best_of_n.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "keel/base/error.h"

namespace keel {
namespace {

// weight[i - 1] = C(i-1, n-1) / C(m, n), from the top downward: the last is n / m, and each lower one follows
// from C(i-2, n-1) / C(i-1, n-1) = (i - n) / (i - 1).
std::vector<double> rank_weights(int64_t m, int64_t n) {
  std::vector<double> weights(static_cast<size_t>(m), 0.0);
  double weight = static_cast<double>(n) / static_cast<double>(m);
  for (int64_t i = m; i >= n; --i) {
    weights[static_cast<size_t>(i - 1)] = weight;
    if (i > 1) weight *= static_cast<double>(i - n) / static_cast<double>(i - 1);
  }
  return weights;
}

}  // namespace

double best_of_n(std::span<const double> proxy, std::span<const double> value, int64_t n) {
  if (proxy.size() != value.size() || n < 1 || n > static_cast<int64_t>(proxy.size())) {
    throw Error("best_of_n", "expected a value for each proxy score and n of 1 to their number, got " +
                                 std::to_string(proxy.size()) + " scores, " + std::to_string(value.size()) +
                                 " values and n = " + std::to_string(n));
  }
  std::vector<size_t> order(proxy.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return proxy[a] < proxy[b]; });
  const auto weights = rank_weights(static_cast<int64_t>(proxy.size()), n);
  double expected = 0;
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    double weight = 0, sum = 0;
    for (end = begin; end < order.size() && proxy[order[end]] == proxy[order[begin]]; ++end) {
      weight += weights[end], sum += value[order[end]];
    }
    expected += weight * sum / static_cast<double>(end - begin);
  }
  return expected;
}

double best_of_n_kl(int64_t n) {
  if (n < 1) throw Error("best_of_n_kl", "expected n of at least 1, got " + std::to_string(n));
  const auto samples = static_cast<double>(n);
  return std::log(samples) - (samples - 1) / samples;
}

}  // namespace keel
