#include "keel/statistics/exact_tests.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "keel/statistics/beta_distribution.h"

namespace keel {
namespace {

double log_choose(int64_t n, int64_t k) {
  const auto log_factorial = [](int64_t of) { return std::lgamma(static_cast<double>(of) + 1); };
  return log_factorial(n) - log_factorial(k) - log_factorial(n - k);
}

// The hypergeometric distribution of first_with, given the margins.
class Tables {
 public:
  explicit Tables(const TwoGroups& counts)
      : first_(counts.first_with + counts.first_without),
        second_(counts.second_with + counts.second_without),
        with_(counts.first_with + counts.second_with) {}
  int64_t lowest() const { return std::max<int64_t>(0, with_ - second_); }
  int64_t highest() const { return std::min(first_, with_); }
  double probability(int64_t first_with) const {
    return std::exp(log_choose(first_, first_with) + log_choose(second_, with_ - first_with) -
                    log_choose(first_ + second_, with_));
  }

 private:
  int64_t first_, second_, with_;
};

}  // namespace

double binomial_at_least(int64_t count, int64_t trials, double chance) {
  if (count <= 0) return 1;
  if (count > trials) return 0;
  return beta_probability(static_cast<double>(count), static_cast<double>(trials - count + 1), chance);
}

double fair_coin_test(int64_t count, int64_t trials) {
  return std::min(1.0, 2 * binomial_at_least(std::max(count, trials - count), trials, 0.5));
}

double successes_at_least(int64_t count, std::span<const double> chances) {
  std::vector<double> probability = {1};  // of 0, 1, … successes so far
  for (const double chance : chances) {
    probability.push_back(0);
    for (size_t k = probability.size(); k-- > 1;)
      probability[k] = probability[k] * (1 - chance) + probability[k - 1] * chance;
    probability[0] *= 1 - chance;
  }
  double sum = 0;
  for (size_t k = probability.size(); k-- > static_cast<size_t>(std::max<int64_t>(count, 0));)
    sum += probability[k];
  return std::min(1.0, sum);
}

double fisher_greater(const TwoGroups& counts) {
  const Tables tables(counts);
  double sum = 0;
  for (int64_t with = counts.first_with; with <= tables.highest(); ++with) sum += tables.probability(with);
  return std::min(1.0, sum);
}

double fisher_two_sided(const TwoGroups& counts) {
  constexpr double kRounding = 1 + 1e-7;  // equally likely tables are not told apart by their last digits
  const Tables tables(counts);
  const double bound = tables.probability(counts.first_with) * kRounding;
  double sum = 0;
  for (int64_t with = tables.lowest(); with <= tables.highest(); ++with) {
    const double probability = tables.probability(with);
    if (probability <= bound) sum += probability;
  }
  return std::min(1.0, sum);
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> corrected(p_values.size());
  double largest = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double factor = static_cast<double>(order.size() - rank);
    largest = std::max(largest, std::min(1.0, factor * p_values[order[rank]]));
    corrected[order[rank]] = largest;
  }
  return corrected;
}

}  // namespace keel
