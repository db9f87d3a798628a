// Items that several annotators judge: a pair of different contents of a prompt, or one content. Samples of
// equal text are one content, because whoever judges sees no difference.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "keel/feedback/store.h"
#include "keel/statistics/judgements.h"

namespace keel::feedback {

/// What an annotator saw of a completion: its text, or its ids when it has none.
using Content = std::pair<std::string, std::vector<int64_t>>;
Content content_of(const Passage& passage);

/// A pair of completions as an item: its number, and what it is called when the first of the two is better.
struct ComparedPair {
  int64_t item = 0;
  int64_t first_is_better = 1;  // 1: the first one's content is the smaller; -1: it is the other
};

/// Numbers pairs as they come.
class ComparisonItems {
 public:
  /// Nothing: the contents are equal.
  std::optional<ComparedPair> number(int64_t prompt, const Passage& first, const Passage& second);

 private:
  std::map<std::tuple<int64_t, Content, Content>, int64_t> items_;  // the smaller content first
};

/// The last word of each annotator on each pair; ties are none.
class StrictComparisons {
 public:
  void add(const JudgedRow& row);
  /// One pair of a ranking alone, of the first and the last of its contents in their order, whatever the
  /// order shown: all pairs of one ranking are not independent of one another.
  void add_one(const JudgedRow& row);
  std::vector<Label> labels() const;
  /// Of a pair that was added or is new.
  std::optional<ComparedPair> number(const JudgedRow& row, size_t first, size_t second);

 private:
  void add_pair(const JudgedRow& row, size_t first, size_t second);

  ComparisonItems items_;
  std::map<int64_t, std::map<int64_t, int64_t>> words_;  // item, annotator
};

}  // namespace keel::feedback
