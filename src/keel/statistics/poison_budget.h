// How few annotators carry a conclusion, "the first is better than the second": the smallest number of them
// without whom it is gone, or turned, and what each one's absence changes. Broderick, Giordano and Meager
// 2020, "An Automatic Finite-Sample Robustness Metric: When Can Dropping a Little Data Make a Big
// Difference?" asks so of data; here the answer is searched for, not approximated.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "keel/statistics/judgements.h"

namespace keel {

struct PoisonBudget {
  /// Without these the conclusion is gone. Empty: there was none, the two are equal.
  std::vector<int64_t> annotators = {};
  /// No fewer suffice; else fewer than `annotators`, but not fewer than `at_least`, might.
  bool exact = false;
  int64_t at_least = 0;
};

/// What the measure is without one annotator.
struct LeftOut {
  int64_t annotator = 0;
  int64_t battles = 0;  // of theirs, between the two
  double without = 0;
};

/// Which of two contestants, and by how much.
struct Conclusion {
  double measure = 0;  // above 0: the first is better
  std::vector<LeftOut> left_out = {};
  PoisonBudget budget = {};
};

/// By wins less losses over battles between the two, ties a half each. Exact: what annotators contribute adds
/// up. Errors: [poison_budget] as check_battles.
Conclusion win_rate_conclusion(std::span<const Battle> battles, int64_t first, int64_t second);

/// By the difference of Bradley-Terry strengths (nats) from all battles, each with a normal prior of this
/// deviation. Sets of annotators are tried from the smallest on, as long as that takes at most `most_fits`
/// fits; beyond, the one whose absence changes most is left out again and again, which is a bound.
/// Errors: [poison_budget] as check_battles; a contestant without battles.
Conclusion bradley_terry_conclusion(std::span<const Battle> battles, int64_t first, int64_t second,
                                    double prior_deviation = 3, int64_t most_fits = 20000);

}  // namespace keel
