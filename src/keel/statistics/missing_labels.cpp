#include "keel/statistics/missing_labels.h"

#include <algorithm>

#include "keel/statistics/beta_distribution.h"

namespace keel {

void MissingLabels::add(double right) {
  ++count_;
  right_ += right;
  unknown_ += right * (1 - right);
}

double MissingLabels::share(double smoothing) const {
  const double all = static_cast<double>(count_) + 2 * smoothing;
  return all > 0 ? (right_ + smoothing) / all : 0.5;
}

double MissingLabels::effective_count(double smoothing) const {
  const double p = share(smoothing), n = static_cast<double>(count_);
  const double information = n * p * (1 - p);
  if (information <= 0) return n;
  return n * std::clamp(1 - unknown_ / information, 0.0, 1.0);
}

Interval MissingLabels::interval(double smoothing, double confidence) const {
  const double n = effective_count(smoothing), p = count_ > 0 ? right_ / static_cast<double>(count_) : 0.5;
  return beta_interval(1 + n * p, 1 + n * (1 - p), confidence);
}

}  // namespace keel
