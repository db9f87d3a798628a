#include "keel/statistics/agreement.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "keel/base/error.h"
#include "keel/statistics/resampling.h"

namespace keel {
namespace {

// A statistic of units as they are numbered; NaN where it does not exist.
using Statistic = std::function<double(const std::vector<size_t>&)>;

std::optional<Estimate> with_interval(size_t units, const Bootstrap& bootstrap, const Statistic& statistic) {
  std::vector<size_t> all(units);
  for (size_t i = 0; i < units; ++i) all[i] = i;
  const double value = units == 0 ? NAN : statistic(all);
  if (std::isnan(value)) return std::nullopt;
  const auto drawn = resampled(bootstrap, [&](int64_t resample) {
    return std::vector<double>{statistic(drawn_units(units, resample, bootstrap))};
  });
  return percentile_estimate(value, static_cast<int64_t>(units), drawn[0], bootstrap);
}

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : NAN;
}

// The labels of the items that have at least two, counted by category.
struct LabelCounts {
  std::vector<int64_t> categories;
  std::vector<std::vector<double>> items;  // a count for each category

  double labels(size_t item) const {
    double sum = 0;
    for (const double count : items[item]) sum += count;
    return sum;
  }
  double agreeing_pairs(size_t item) const {
    double sum = 0;
    for (const double count : items[item]) sum += count * (count - 1) / 2;
    return sum;
  }
};

// The labels of each item by annotator.
std::map<int64_t, std::map<int64_t, int64_t>> by_item(std::span<const Label> labels) {
  std::map<int64_t, std::map<int64_t, int64_t>> items;
  for (const auto& [annotator, item, category] : labels) {
    if (items[item].emplace(annotator, category).second) continue;
    throw Error("agreement", "expected one label of an item from an annotator, got two of item " +
                                 std::to_string(item) + " from " + std::to_string(annotator));
  }
  return items;
}

LabelCounts counts_of(std::span<const Label> labels) {
  std::vector<int64_t> seen;
  for (const auto& label : labels) seen.push_back(label.category);
  const Names categories(std::move(seen));
  LabelCounts counts{.categories = categories.sorted(), .items = {}};
  for (const auto& [item, given] : by_item(labels)) {
    if (given.size() < 2) continue;
    auto& row = counts.items.emplace_back(categories.size());
    for (const auto& [annotator, category] : given) row[categories.position(category)] += 1;
  }
  return counts;
}

double badness(int64_t first, int64_t second, KappaWeights weights) {
  const double distance = std::abs(static_cast<double>(first - second));
  if (weights == KappaWeights::linear) return distance;
  if (weights == KappaWeights::quadratic) return distance * distance;
  return first == second ? 0 : 1;
}

double cohen(std::span<const LabelPair> pairs, const std::vector<size_t>& units, KappaWeights weights) {
  std::map<int64_t, double> firsts, seconds;
  double observed = 0, expected = 0;
  for (const size_t unit : units) {
    ++firsts[pairs[unit].first], ++seconds[pairs[unit].second];
    observed += badness(pairs[unit].first, pairs[unit].second, weights);
  }
  for (const auto& [first, times] : firsts) {
    for (const auto& [second, others] : seconds) expected += times * others * badness(first, second, weights);
  }
  return 1 - ratio(observed * static_cast<double>(units.size()), expected);
}

double fleiss(const LabelCounts& counts, const std::vector<size_t>& units) {
  double agreement = 0, all = 0;
  std::vector<double> totals(counts.categories.size());
  for (const size_t unit : units) {
    const double labels = counts.labels(unit);
    agreement += counts.agreeing_pairs(unit) / (labels * (labels - 1) / 2);
    for (size_t c = 0; c < totals.size(); ++c) totals[c] += counts.items[unit][c];
    all += labels;
  }
  double chance = 0;
  for (const double total : totals) chance += (total / all) * (total / all);
  return 1 - ratio(1 - agreement / static_cast<double>(units.size()), 1 - chance);
}

// The squared difference of two categories, given how often each one occurs.
double squared_difference(const LabelCounts& counts, const std::vector<double>& totals, size_t a, size_t b,
                          Scale scale) {
  if (scale == Scale::nominal) return a == b ? 0 : 1;
  double difference = static_cast<double>(counts.categories[a] - counts.categories[b]);
  if (scale == Scale::ordinal) {
    difference = -(totals[a] + totals[b]) / 2;  // the labels between them, each end's own half
    for (size_t c = std::min(a, b); c <= std::max(a, b); ++c) difference += totals[c];
  }
  return difference * difference;
}

// 1 - observed / expected disagreement over the coincidences: pairs of labels of one item, each item with the
// weight of its labels. (A label paired with itself stands on the diagonal, which disagrees with nothing.)
double alpha(const LabelCounts& counts, const std::vector<size_t>& units, Scale scale) {
  const size_t n = counts.categories.size();
  std::vector<double> coincidences(n * n), totals(n);
  double all = 0;
  for (const size_t unit : units) {
    const auto& row = counts.items[unit];
    const double labels = counts.labels(unit);
    for (size_t a = 0; a < n; ++a) {
      for (size_t b = 0; b < n; ++b) coincidences[a * n + b] += row[a] * row[b] / (labels - 1);
      totals[a] += row[a];
    }
    all += labels;
  }
  double observed = 0, expected = 0;
  for (size_t a = 0; a < n; ++a) {
    for (size_t b = 0; b < n; ++b) {
      const double badness = squared_difference(counts, totals, a, b, scale);
      observed += coincidences[a * n + b] * badness;
      expected += totals[a] * totals[b] * badness;
    }
  }
  return 1 - ratio((all - 1) * observed, expected);
}

}  // namespace

std::optional<Estimate> cohen_kappa(std::span<const LabelPair> pairs, KappaWeights weights,
                                    const Bootstrap& bootstrap) {
  return with_interval(pairs.size(), bootstrap,
                       [&](const std::vector<size_t>& units) { return cohen(pairs, units, weights); });
}

std::vector<PairwiseAgreement> pairwise_agreement(std::span<const Label> labels, KappaWeights weights,
                                                  const Bootstrap& bootstrap) {
  std::map<std::pair<int64_t, int64_t>, std::vector<LabelPair>> in_common;
  for (const auto& [item, given] : by_item(labels)) {
    for (auto first = given.begin(); first != given.end(); ++first) {
      for (auto second = std::next(first); second != given.end(); ++second) {
        in_common[{first->first, second->first}].push_back({first->second, second->second});
      }
    }
  }
  std::vector<PairwiseAgreement> result;
  for (const auto& [annotators, pairs] : in_common) {
    std::vector<double> equal;
    for (const auto& pair : pairs) equal.push_back(pair.first == pair.second);
    result.push_back({.first = annotators.first,
                      .second = annotators.second,
                      .agreement = bootstrap_mean(equal, bootstrap),
                      .kappa = cohen_kappa(pairs, weights, bootstrap)});
  }
  return result;
}

std::optional<Estimate> percent_agreement(std::span<const Label> labels, const Bootstrap& bootstrap) {
  const auto counts = counts_of(labels);
  return with_interval(counts.items.size(), bootstrap, [&](const std::vector<size_t>& units) {
    double agreeing = 0, pairs = 0;
    for (const size_t unit : units) {
      agreeing += counts.agreeing_pairs(unit);
      pairs += counts.labels(unit) * (counts.labels(unit) - 1) / 2;
    }
    return agreeing / pairs;
  });
}

std::optional<Estimate> fleiss_kappa(std::span<const Label> labels, const Bootstrap& bootstrap) {
  const auto items = by_item(labels);
  for (const auto& [item, given] : items) {
    if (given.size() == items.begin()->second.size()) continue;
    throw Error("fleiss_kappa", "expected items with equally many labels, got " +
                                    std::to_string(items.begin()->second.size()) + " and " +
                                    std::to_string(given.size()) +
                                    ": take Krippendorff's alpha, which has a place for missing ones");
  }
  const auto counts = counts_of(labels);
  return with_interval(counts.items.size(), bootstrap,
                       [&](const std::vector<size_t>& units) { return fleiss(counts, units); });
}

std::optional<Estimate> krippendorff_alpha(std::span<const Label> labels, Scale scale,
                                           const Bootstrap& bootstrap) {
  const auto counts = counts_of(labels);
  return with_interval(counts.items.size(), bootstrap,
                       [&](const std::vector<size_t>& units) { return alpha(counts, units, scale); });
}

}  // namespace keel
