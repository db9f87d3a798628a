// How much a judgement counts in training, by how far its annotator and the others on the same item can be
// relied on (reliability.h).
//
// A label that is right with probability r counts 2r - 1: the expectation of its sign. All labels of an item
// give one r, so three that contradict one another become three rows that say the same, as strongly as their
// annotators are worth; a label that is likelier wrong than right is turned around.
#pragma once

#include <string>
#include <vector>

#include "keel/feedback/comparison_items.h"
#include "keel/feedback/exchange.h"
#include "keel/feedback/reliability.h"

namespace keel::feedback {

class ReliabilityWeights {
 public:
  /// Of the rankings and of the yes/no labels among these rows. Errors: [reliability] two camps contradict
  /// each other, and nothing says which one is right.
  ReliabilityWeights(const std::vector<JudgedRow>& rows, const std::vector<JudgedRow>& gold,
                     const ReliabilityOptions& options);

  /// From -1 to 1; below 0: turned around it counts so much. Of a ranking the mean over its strict pairs that
  /// were seen here; 1 for what has none, and for other types of judgements.
  double operator()(const JudgedRow& row);

  const Camps& comparisons() const { return comparisons_.camps; }

 private:
  // A fit, and where its items and categories stand.
  struct Fit {
    Camps camps = {};
    std::map<int64_t, size_t> items = {}, categories = {};
    void learn(const std::vector<Label>& labels, const CampOptions& options, const std::string& what);
    std::optional<double> sign(int64_t item, int64_t category) const;  // 2r - 1
  };
  std::optional<int64_t> labelled_item(const JudgedRow& row, bool is_new);

  StrictComparisons pairs_;
  std::map<std::pair<int64_t, Content>, int64_t> contents_;
  Fit comparisons_, labels_;
};

/// What each of these judgements of the store counts by reliability; says in the log what cannot be told of
/// their annotators. Errors: those of ReliabilityWeights.
JudgementWeight weight_by_reliability(Store& store, const std::vector<JudgedRow>& rows, double most_hostile);

}  // namespace keel::feedback
