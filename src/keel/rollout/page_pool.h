// Which pages of the cache are free. A page holds the keys and values of kPagePositions neighbouring
// positions of one sequence, in all layers; a sequence is a list of pages, and the samples of a prompt share
// the prompt's.
#pragma once

#include <cstdint>
#include <vector>

namespace keel {

class PagePool {
 public:
  explicit PagePool(int64_t pages);

  int64_t free() const { return static_cast<int64_t>(free_.size()); }
  /// The lowest free page, so that memory which was never used stays untouched. Errors: std::logic_error when
  /// none is free.
  int32_t take();
  void give_back(int32_t page);

 private:
  std::vector<int32_t> free_;  // a heap, the lowest first
};

/// Pages for `positions` positions, and the slots of those pages.
int64_t pages_for(int64_t positions);
int64_t slots_for(int64_t positions);

}  // namespace keel
