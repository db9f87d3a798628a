#include "keel/statistics/poison_budget.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>

#include "keel/base/error.h"
#include "keel/statistics/comparability.h"
#include "keel/statistics/paired_likelihood.h"

namespace keel {
namespace {

Names annotators_of(std::span<const Battle> battles) {
  std::vector<int64_t> names;
  for (const Battle& battle : battles) names.push_back(battle.annotator);
  return Names(std::move(names));
}

bool is_between(const Battle& battle, int64_t first, int64_t second) {
  return (battle.first == first && battle.second == second) ||
         (battle.first == second && battle.second == first);
}

// Whether nothing is left of a conclusion that was `before`.
bool is_gone(double before, double after) {
  constexpr double kRounding = 1e-9;
  return before > 0 ? after <= kRounding : after >= -kRounding;
}

// The difference of two strengths when some annotators are left out.
class Strengths {
 public:
  Strengths(std::span<const Battle> battles, int64_t first, int64_t second, double prior_deviation)
      : annotators_(annotators_of(battles)),
        who_(comparability(battles)),
        start_(battles, who_, prior_deviation, /*model_ties=*/false) {
    const Names names(who_.names);
    for (const int64_t name : {first, second})
      if (!std::binary_search(who_.names.begin(), who_.names.end(), name))
        throw Error("poison_budget",
                    "expected battles of both contestants, got none of " + std::to_string(name));
    first_ = names.position(first), second_ = names.position(second);
    for (const Battle& battle : battles) {
      outcomes_.push_back(battle.outcome);
      places_.push_back(annotators_.position(battle.annotator));
    }
  }

  const Names& annotators() const { return annotators_; }

  double without(const std::vector<size_t>& left_out) const {
    std::vector<double> kept(annotators_.size(), 1.0), weights;
    for (const size_t annotator : left_out) kept[annotator] = 0;
    for (const size_t place : places_) weights.push_back(kept[place]);
    PairedLikelihood likelihood = start_;
    likelihood.observe(outcomes_, weights);
    likelihood.maximise();
    return likelihood.strengths()[first_] - likelihood.strengths()[second_];
  }

 private:
  Names annotators_;
  Comparability who_;
  PairedLikelihood start_;
  size_t first_ = 0, second_ = 0;
  std::vector<double> outcomes_;
  std::vector<size_t> places_;  // of each battle's annotator
};

// The next set of so many of [0, n), in the order of their members; false after the last one.
bool next_set(std::vector<size_t>& set, size_t n) {
  for (size_t i = set.size(); i-- > 0;) {
    if (set[i] + set.size() - i >= n) continue;
    ++set[i];
    for (size_t k = i + 1; k < set.size(); ++k) set[k] = set[k - 1] + 1;
    return true;
  }
  return false;
}

double sets(size_t n, size_t size) {
  double count = 1;
  for (size_t i = 0; i < size; ++i) count = count * static_cast<double>(n - i) / static_cast<double>(i + 1);
  return count;
}

std::vector<size_t> greedy(const Strengths& strengths, double whole) {
  std::vector<size_t> left_out;
  for (double now = whole; !is_gone(whole, now) && left_out.size() < strengths.annotators().size();) {
    double best = 0;
    size_t chosen = 0;
    bool any = false;
    for (size_t a = 0; a < strengths.annotators().size(); ++a) {
      if (std::find(left_out.begin(), left_out.end(), a) != left_out.end()) continue;
      left_out.push_back(a);
      const double value = strengths.without(left_out) * (whole > 0 ? 1 : -1);
      left_out.pop_back();
      if (!any || value < best) any = true, best = value, chosen = a;
    }
    left_out.push_back(chosen);
    now = best * (whole > 0 ? 1 : -1);
  }
  return left_out;
}

PoisonBudget search(const Strengths& strengths, double whole, int64_t most_fits) {
  const size_t n = strengths.annotators().size();
  PoisonBudget budget;
  const auto names = [&](const std::vector<size_t>& places) {
    std::vector<int64_t> list;
    for (const size_t place : places) list.push_back(strengths.annotators()[place]);
    std::sort(list.begin(), list.end());
    return list;
  };
  if (whole == 0) return {.exact = true};
  double left = static_cast<double>(most_fits);
  for (size_t size = 1; size <= n; ++size) {
    budget.at_least = static_cast<int64_t>(size);
    if (left -= sets(n, size); left < 0) break;
    std::vector<size_t> set(size);
    std::iota(set.begin(), set.end(), size_t{0});
    do {
      if (is_gone(whole, strengths.without(set)))
        return {.annotators = names(set), .exact = true, .at_least = budget.at_least};
    } while (next_set(set, n));
  }
  budget.annotators = names(greedy(strengths, whole));
  budget.exact = std::ssize(budget.annotators) == budget.at_least;
  return budget;
}

}  // namespace

Conclusion win_rate_conclusion(std::span<const Battle> battles, int64_t first, int64_t second) {
  check_battles("poison_budget", battles);
  std::map<int64_t, LeftOut> of_each;
  Conclusion conclusion;
  for (const Battle& battle : battles) {
    LeftOut& of = of_each[battle.annotator];
    of.annotator = battle.annotator;
    if (!is_between(battle, first, second)) continue;
    const double lead = (2 * battle.outcome - 1) * (battle.first == first ? 1 : -1);
    of.without -= lead, ++of.battles, conclusion.measure += lead;
  }
  for (auto& [annotator, of] : of_each) {
    of.without += conclusion.measure;
    conclusion.left_out.push_back(of);
  }
  conclusion.budget.exact = true;
  const double sign = conclusion.measure > 0 ? 1 : -1;
  std::vector<LeftOut> by_loss = conclusion.left_out;
  std::stable_sort(by_loss.begin(), by_loss.end(),
                   [&](const LeftOut& a, const LeftOut& b) { return a.without * sign < b.without * sign; });
  double now = conclusion.measure;
  for (size_t i = 0; i < by_loss.size() && now * sign > 0; ++i) {
    now += by_loss[i].without - conclusion.measure;
    conclusion.budget.annotators.push_back(by_loss[i].annotator);
  }
  conclusion.budget.at_least = std::ssize(conclusion.budget.annotators);
  std::sort(conclusion.budget.annotators.begin(), conclusion.budget.annotators.end());
  return conclusion;
}

Conclusion bradley_terry_conclusion(std::span<const Battle> battles, int64_t first, int64_t second,
                                    double prior_deviation, int64_t most_fits) {
  check_battles("poison_budget", battles);
  const Strengths strengths(battles, first, second, prior_deviation);
  Conclusion conclusion{.measure = strengths.without({})};
  for (size_t a = 0; a < strengths.annotators().size(); ++a) {
    const int64_t name = strengths.annotators()[a];
    const auto own = std::count_if(battles.begin(), battles.end(), [&](const Battle& battle) {
      return battle.annotator == name && is_between(battle, first, second);
    });
    conclusion.left_out.push_back({.annotator = name, .battles = own, .without = strengths.without({a})});
  }
  conclusion.budget = search(strengths, conclusion.measure, most_fits);
  return conclusion;
}

}  // namespace keel
