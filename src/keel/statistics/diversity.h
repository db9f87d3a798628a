// How varied a set of samples is. Distinct-n: Li et al. 2016, "A Diversity-Promoting Objective Function for
// Neural Conversation Models".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace keel {

/// Different n-grams over all n-grams. It falls as samples are added, so compare sets of one size.
struct Distinct {
  int64_t different = 0;
  int64_t total = 0;
  /// 0 when there are no n-grams.
  double ratio() const {
    return total == 0 ? 0.0 : static_cast<double>(different) / static_cast<double>(total);
  }
};

/// Counts the n-grams (n >= 1) of token id sequences; none spans two sequences.
Distinct distinct_n(std::span<const std::vector<int64_t>> sequences, int n);

}  // namespace keel
