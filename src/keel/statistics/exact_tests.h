// Exact tests of counts, and a correction for asking several times. Clopper and Pearson 1934 (binomial
// tails); Fisher 1935, "The Logic of Inductive Inference"; Holm 1979, "A Simple Sequentially Rejective
// Multiple Test Procedure".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace keel {

/// The probability of `count` or more successes in `trials`, each of probability `chance`.
double binomial_at_least(int64_t count, int64_t trials, double chance);

/// Of a count as far from trials / 2 or farther, on either side, when successes are as likely as not.
double fair_coin_test(int64_t count, int64_t trials);

/// Of `count` or more successes when each trial has a chance of its own (Poisson's binomial). Quadratic in
/// their number.
double successes_at_least(int64_t count, std::span<const double> chances);

/// Counts of a thing (`with`) and its absence in two groups.
struct TwoGroups {
  int64_t first_with = 0, first_without = 0;
  int64_t second_with = 0, second_without = 0;
};

/// With the margins as they are: the probability that the first group has so many or more.
double fisher_greater(const TwoGroups& counts);

/// And of all tables no likelier than this one.
double fisher_two_sided(const TwoGroups& counts);

/// Each p-value as it counts when all of these were asked: the chance that one of them or more is refused in
/// error stays below the level, whatever they have to do with one another.
std::vector<double> holm(std::span<const double> p_values);

}  // namespace keel
