#include "keel/statistics/suspicion.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "keel/statistics/annotator_camps.h"
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

// Right and wrong where others preferred the longer text, and where the shorter one.
TwoGroups length_errors(std::span<const LengthChoice> choices, int64_t annotator) {
  TwoGroups counts;
  for (const auto& [who, longer, others_longer] : choices) {
    if (who != annotator) continue;
    const bool wrong = longer != others_longer;
    counts.first_with += !others_longer && wrong, counts.first_without += !others_longer && !wrong;
    counts.second_with += others_longer && wrong, counts.second_without += others_longer && !wrong;
  }
  return counts;
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

std::vector<Sign> length_signs(std::span<const LengthChoice> choices) {
  std::vector<int64_t> all;
  for (const LengthChoice& choice : choices) all.push_back(choice.annotator);
  std::vector<Sign> signs;
  const Names annotators(std::move(all));
  for (const int64_t annotator : annotators.sorted()) {
    const TwoGroups counts = length_errors(choices, annotator);
    const int64_t shorter = counts.first_with + counts.first_without,
                  longer = counts.second_with + counts.second_without;
    signs.push_back({.annotator = annotator,
                     .other = annotator,
                     .count = counts.first_with,
                     .total = counts.first_with + counts.second_with,
                     .expected = share(shorter, shorter + longer),
                     .p = fisher_two_sided(counts)});
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
