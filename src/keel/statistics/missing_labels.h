// How often somebody was right, where of each label only the probability that it is right is known. Louis
// 1982, "Finding the Observed Information Matrix when Using the EM Algorithm": what is not known of the
// labels, Σ r(1 - r), is taken from the information n·p(1 - p) that known ones would give; labels count as
// many as are left. What annotators share of their uncertainty is neglected.
#pragma once

#include <cstdint>

#include "keel/statistics/intervals.h"

namespace keel {

class MissingLabels {
 public:
  /// A label that is right with this probability.
  void add(double right);
  int64_t count() const { return count_; }
  /// The share of right ones, with pseudo-counts of each kind. 1/2 without any.
  double share(double smoothing) const;
  /// The labels' number less what is not known of them.
  double effective_count(double smoothing) const;
  /// The interval of the share's posterior, under an even prior.
  Interval interval(double smoothing, double confidence = 0.95) const;

 private:
  int64_t count_ = 0;
  double right_ = 0, unknown_ = 0;  // Σ r, Σ r(1 - r)
};

}  // namespace keel
