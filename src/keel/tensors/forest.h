// A batch is a forest: token segments laid end to end, depth first, without padding. A segment attends
// causally to itself and fully to all of its ancestors; a branch continues the positions of its parent
// (docs/ARCHITECTURE.md).
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// Tokens [begin, end) of the packed batch, continuing segment `parent` (-1: a root).
struct Segment {
  int64_t begin = 0, end = 0;
  int32_t parent = -1;
  int64_t size() const { return end - begin; }
};

struct Forest {
  Tensor tokens;     // (N) int64, on the host as it is built
  Tensor positions;  // (N) int64
  std::vector<Segment> segments;

  int64_t size() const { return segments.empty() ? 0 : segments.back().end; }
};

/// Builds a forest segment by segment. Depth-first order is the caller's duty and is checked: a parent comes
/// before its children, and nothing but its descendants stands between.
class ForestBuilder {
 public:
  /// Adds a segment and returns its index. `tokens` may not be empty.
  int32_t add(std::span<const int64_t> tokens, int32_t parent = -1);
  /// The row of the last token of a segment: what predicts the first token of its children.
  int64_t last_row(int32_t segment) const { return segments_[static_cast<size_t>(segment)].end - 1; }
  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }
  Forest build() const;

 private:
  std::vector<int64_t> tokens_, positions_;
  std::vector<Segment> segments_;
};

/// The distinct members of some lists of rows (each int64), in order.
Tensor distinct_rows(const std::vector<Tensor>& lists);

}  // namespace keel
