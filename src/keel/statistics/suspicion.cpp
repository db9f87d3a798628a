#include "keel/statistics/suspicion.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "keel/statistics/annotator_camps.h"
#include "keel/statistics/dawid_skene.h"
#include "keel/statistics/exact_tests.h"
#include "keel/statistics/intervals.h"

namespace keel {
namespace {

double share(int64_t count, int64_t total) {
  return total > 0 ? static_cast<double>(count) / static_cast<double>(total) : 0;
}

std::vector<Sign> corrected(std::vector<Sign> signs) {
  std::vector<double> p_values;
  for (const Sign& sign : signs) p_values.push_back(sign.p);
  const std::vector<double> together = holm(p_values);
  for (size_t i = 0; i < signs.size(); ++i) signs[i].corrected = together[i];
  return signs;
}

// An annotator's labels of pairs that others labelled, too: how many say that the longer text is better, and
// how probable that is of each if errors do not look at length.
struct LongerLabels {
  int64_t longer = 0;
  std::vector<double> chances = {};
};

// The accuracy of labels that are right with these probabilities by what others said: its likeliest value.
double accuracy_given(const std::vector<double>& rights) {
  constexpr int kRounds = 200;
  double accuracy = 0.7;
  for (int round = 0; round < kRounds; ++round) {
    double sum = 0.5, all = 1;
    for (const double right : rights) {
      sum += right * accuracy / (right * accuracy + (1 - right) * (1 - accuracy));
      ++all;
    }
    accuracy = sum / all;
  }
  return accuracy;
}

// What is right is measured without the annotator, who would else make it what they say.
LongerLabels longer_labels(std::span<const Label> labels, int64_t annotator) {
  std::vector<Label> rest;
  for (const Label& label : labels)
    if (label.annotator != annotator) rest.push_back(label);
  LongerLabels found;
  if (rest.empty()) return found;
  const DawidSkene fit = dawid_skene(rest, {.confusion = Confusion::one_coin,
                                            .smoothing = 1,
                                            .gold = {},
                                            .categories = {0, 1},
                                            .tolerance = 1e-3});
  const Names items(fit.items);
  std::vector<double> longer_right, own_right;
  for (const Label& label : labels) {
    if (label.annotator != annotator || !std::binary_search(fit.items.begin(), fit.items.end(), label.item))
      continue;
    longer_right.push_back(fit.probability(items.position(label.item), 1));
    own_right.push_back(label.category == 1 ? longer_right.back() : 1 - longer_right.back());
    found.longer += label.category;
  }
  const double accuracy = accuracy_given(own_right);
  for (const double right : longer_right)
    found.chances.push_back(right * accuracy + (1 - right) * (1 - accuracy));
  return found;
}

// As far from what was expected or farther, on either side.
double two_sided(const LongerLabels& of) {
  std::vector<double> contrary;
  for (const double chance : of.chances) contrary.push_back(1 - chance);
  const int64_t shorter = std::ssize(of.chances) - of.longer;
  return std::min(
      1.0, 2 * std::min(successes_at_least(of.longer, of.chances), successes_at_least(shorter, contrary)));
}

struct Agreement {
  int64_t equal = 0, total = 0;
};

// How often two annotators gave an item one label, and each of them and anybody.
struct Agreements {
  std::map<std::pair<int64_t, int64_t>, Agreement> of_two;  // the smaller name first
  std::map<int64_t, Agreement> of_one;
};

Agreements agreements_of(std::span<const Label> labels) {
  std::map<int64_t, std::vector<const Label*>> items;
  for (const Label& label : labels) items[label.item].push_back(&label);
  Agreements found;
  for (const auto& [item, given] : items)
    for (const Label* first : given)
      for (const Label* second : given) {
        if (first->annotator >= second->annotator) continue;
        const bool equal = first->category == second->category;
        for (Agreement* of : {&found.of_two[{first->annotator, second->annotator}],
                              &found.of_one[first->annotator], &found.of_one[second->annotator]})
          of->equal += equal, ++of->total;
      }
  return found;
}

// How often an annotator agrees with all but one other: no less than this, with a confidence of 97.5 %.
double agreement_with_others(const Agreement& all, const Agreement& of_two) {
  const int64_t total = all.total - of_two.total;
  return total == 0 ? 0 : wilson(all.equal - of_two.equal, total).high;
}

// Pairs that agree so much more than with others are looked at again.
constexpr double kLooksAlike = 0.05;
using Partners = std::map<int64_t, std::set<int64_t>>;

// |2 accuracy - 1|, the most that an annotator's interval allows, from the labels of all but its partners. It
// does not matter which camp is right: two of one side agree with (1 + product) / 2, whatever that side is.
double highest_skill(std::span<const Label> labels, int64_t annotator, const std::set<int64_t>& partners) {
  std::vector<Label> rest;
  for (const Label& label : labels)
    if (!partners.contains(label.annotator)) rest.push_back(label);
  const Interval interval = annotator_interval(rest, annotator);
  return std::max(std::abs(2 * interval.low - 1), std::abs(2 * interval.high - 1));
}

}  // namespace

std::vector<Sign> position_signs(std::span<const ShownChoice> choices) {
  std::map<int64_t, Sign> signs;
  for (const auto& [annotator, first] : choices) {
    Sign& sign = signs[annotator];
    sign.annotator = sign.other = annotator, sign.expected = 0.5;
    sign.count += first, ++sign.total;
  }
  std::vector<Sign> list;
  for (auto& [annotator, sign] : signs) {
    sign.p = fair_coin_test(sign.count, sign.total);
    list.push_back(sign);
  }
  return corrected(std::move(list));
}

std::vector<Sign> length_signs(std::span<const Label> labels) {
  std::vector<int64_t> all;
  for (const Label& label : labels) all.push_back(label.annotator);
  const Names annotators(std::move(all));
  std::vector<Sign> signs;
  for (const int64_t annotator : annotators.sorted()) {
    const LongerLabels of = longer_labels(labels, annotator);
    if (of.chances.empty()) continue;
    double expected = 0;
    for (const double chance : of.chances) expected += chance / static_cast<double>(of.chances.size());
    signs.push_back({.annotator = annotator,
                     .other = annotator,
                     .count = of.longer,
                     .total = std::ssize(of.chances),
                     .expected = expected,
                     .p = two_sided(of)});
  }
  return corrected(std::move(signs));
}

std::vector<Sign> speed_signs(std::span<const TimedJudgement> judgements) {
  std::map<int64_t, Agreement> fast;  // fast ones, and all
  Agreement of_all;
  for (const auto& [annotator, words, seconds] : judgements) {
    const bool is_fast = words * 60 > kFastestReading * seconds;
    for (Agreement* of : {&fast[annotator], &of_all}) of->equal += is_fast, ++of->total;
  }
  std::vector<Sign> signs;
  for (const auto& [annotator, own] : fast) {
    const int64_t others = of_all.total - own.total, others_fast = of_all.equal - own.equal;
    const double p = fisher_greater({.first_with = own.equal,
                                     .first_without = own.total - own.equal,
                                     .second_with = others_fast,
                                     .second_without = others - others_fast});
    signs.push_back({.annotator = annotator,
                     .other = annotator,
                     .count = own.equal,
                     .total = own.total,
                     .expected = share(others_fast, others),
                     .p = p});
  }
  return corrected(std::move(signs));
}

std::vector<Sign> copying_signs(std::span<const Label> labels) {
  const Agreements found = agreements_of(labels);
  std::vector<Sign> signs;
  Partners partners;
  for (const auto& [two, agreement] : found.of_two) {
    const double expected = std::max(agreement_with_others(found.of_one.at(two.first), agreement),
                                     agreement_with_others(found.of_one.at(two.second), agreement));
    signs.push_back({.annotator = two.first,
                     .other = two.second,
                     .count = agreement.equal,
                     .total = agreement.total,
                     .expected = expected,
                     .p = binomial_at_least(agreement.equal, agreement.total, expected)});
    if (signs.back().p >= kLooksAlike) continue;
    partners[two.first].insert(two.second), partners[two.second].insert(two.first);
  }
  std::map<int64_t, double> skills;
  for (const auto& [annotator, others] : partners)
    skills[annotator] = highest_skill(labels, annotator, others);
  for (Sign& sign : signs) {
    if (sign.p >= kLooksAlike) continue;
    sign.expected = std::max(sign.expected, (1 + skills.at(sign.annotator) * skills.at(sign.other)) / 2);
    sign.p = binomial_at_least(sign.count, sign.total, sign.expected);
  }
  return corrected(std::move(signs));
}

}  // namespace keel
