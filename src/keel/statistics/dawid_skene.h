// What items truly are, and how each annotator confuses them, from labels alone. Dawid and Skene 1979,
// "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", equations 2.3 to 2.5: given
// what an item is, annotators label it independently of one another.
//
// Departures: one accuracy for each annotator instead of a table of confusions ("one coin"), where categories
// are alike, as the two sides of a comparison are; pseudo-counts; items whose category is known (gold).
//
// With two categories that are alike, turning every truth and every annotator's accuracy around fits the
// labels exactly as well. Which of the two EM finds is where it starts, the majority's votes, and nothing
// else (annotator_camps.h says when that can be relied on).
#pragma once

#include <map>
#include <span>
#include <vector>

#include "keel/statistics/judgements.h"

namespace keel {

enum class Confusion { full, one_coin };

struct DawidSkeneOptions {
  Confusion confusion = Confusion::full;
  bool even_prior = false;  // categories are equally likely; else how often each occurs is estimated
  /// Pseudo-counts of each right and each wrong label: the mode of a Dirichlet prior. 0: maximum likelihood.
  double smoothing = 0;
  std::map<int64_t, int64_t> gold = {};  // known: the category of an item
  bool against_majority = false;         // EM starts from the votes turned around; two categories
  std::vector<int64_t> categories = {};  // that there are, whether or not anybody used them
  double tolerance = 1e-9;               // EM ends when no posterior moves more in a round
};

/// Numbers are places in `annotators`, `items` and `categories`, which are sorted.
struct DawidSkene {
  std::vector<int64_t> annotators, items, categories;
  std::vector<double> prior;      // of each category
  std::vector<double> confusion;  // annotators · truth · label: the probability of this label
  std::vector<double> posterior;  // items · categories: the probability of this truth
  double log_likelihood = 0;      // nats, of the labels; of gold items with their category

  double confused(size_t annotator, size_t truth, size_t label) const {
    return confusion[(annotator * categories.size() + truth) * categories.size() + label];
  }
  double probability(size_t item, size_t category) const {
    return posterior[item * categories.size() + category];
  }
  /// The probability of a right label, over the prior of the categories.
  double accuracy(size_t annotator) const;
};

/// Errors: [dawid_skene] no labels, pseudo-counts below 0, a gold category that nobody used, or a start
/// against the majority of other than two categories.
DawidSkene dawid_skene(std::span<const Label> labels, const DawidSkeneOptions& options = {});

}  // namespace keel
