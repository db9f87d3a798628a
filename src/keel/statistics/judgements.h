// Judgements as plain values, which is how every statistic here takes them, and the numbering of the names in
// them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace keel {

/// One comparison of two contestants: models, or completions. Contestants, annotators and prompts are named
/// by any numbers.
struct Battle {
  int64_t first = 0, second = 0;
  double outcome = 0.5;  // what the first won: 1, 0, or 0.5 for a tie
  int64_t annotator = 0;
  int64_t prompt = 0;
};

/// An annotator puts an item into a category: yes or no, a point of a scale, which of two is better.
struct Label {
  int64_t annotator = 0;
  int64_t item = 0;
  int64_t category = 0;
};

/// The different ones of a list of names, sorted and numbered from 0.
class Names {
 public:
  explicit Names(std::vector<int64_t> names);
  size_t size() const { return sorted_.size(); }
  int64_t operator[](size_t position) const { return sorted_[position]; }
  /// Where a name stands. It must be one of them.
  size_t position(int64_t name) const;
  const std::vector<int64_t>& sorted() const { return sorted_; }

 private:
  std::vector<int64_t> sorted_;
};

Names contestants(std::span<const Battle> battles);

/// Errors: [where] no battles, a contestant against itself, or an outcome outside [0, 1].
void check_battles(const char* where, std::span<const Battle> battles);

}  // namespace keel
