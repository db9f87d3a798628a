// Judgements as labels of items, which is what measures of agreement and reliability take: who put what into
// which category.
#pragma once

#include <string>
#include <vector>

#include "keel/feedback/store.h"
#include "keel/statistics/agreement.h"

namespace keel::feedback {

/// Labels of one kind of question. An annotator's last word on an item counts.
struct LabelSet {
  std::string name = {};  // "comparisons", "labels", "ratings of helpful"
  Scale scale = Scale::nominal;
  std::vector<Label> labels = {};
};

/// comparisons      an item is a pair of different contents of a prompt; 1: the one that comes first in the
/// order
///                  of contents is better, -1: the other, 0: a tie
/// labels           an item is a content; 1 yes, 0 no
/// ratings of D     an item is a content; the rating, rounded to a hundredth, times 100
/// Sets without labels are left out.
std::vector<LabelSet> label_sets(const std::vector<JudgedRow>& rows);

/// For `keel feedback agreement`: of each set the annotators, the items with two labels or more, percent
/// agreement, Krippendorff's alpha, Fleiss' kappa where all items have equally many labels, and Cohen's kappa
/// of every two annotators, each with interval and count.
Json agreement_json(const std::vector<JudgedRow>& rows, const Bootstrap& bootstrap);

}  // namespace keel::feedback
