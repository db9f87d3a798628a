// What a store's judgements amount to: counts, how far annotators agree, whether the first one shown wins too
// often.
//
// A ranking of K completions is read as its K(K-1)/2 pairs; pairs of equal content say nothing and are left
// out. Agreement and position bias are shares of strict pairs (ties are counted apart) with Wilson's
// interval, which takes pairs as independent: those of one ranking are not quite, so the intervals are
// somewhat too narrow for K > 2.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "keel/base/json.h"
#include "keel/feedback/store.h"
#include "keel/statistics/intervals.h"

namespace keel::feedback {

/// A share with its count.
struct Share {
  int64_t count = 0;
  int64_t total = 0;
  Interval interval() const { return wilson(count, total); }
};

struct AnnotatorSummary {
  Annotator annotator = {};
  std::map<JudgementType, int64_t> counts = {};  // of judgements
  int64_t pairs = 0;                             // in the rankings
  int64_t ties = 0;                              // of these pairs
  int64_t positive = 0;                          // of the labels
  Share first_wins =
      {};  // strict pairs shown in this order in which the first one is better: 1/2 without bias
};

/// Two annotators on the pairs that both judged; an annotator's last judgement of a pair counts.
struct Agreement {
  size_t first = 0, second = 0;  // into Summary::annotators
  Share agree = {};              // of the pairs that both judged strictly
  int64_t ties = 0;              // pairs that at least one of them tied
};

struct Summary {
  std::vector<AnnotatorSummary> annotators;  // in the order of their first judgement
  std::vector<Agreement> agreements;         // of those who share a pair
};

Summary summarise(const std::vector<JudgedRow>& rows);

/// For `keel feedback stats` and the report: counts by kind and by annotator, agreement by kinds and by
/// annotators.
Json summary_json(const Summary& summary);

}  // namespace keel::feedback
