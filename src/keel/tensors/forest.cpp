#include "keel/tensors/forest.h"

#include <algorithm>

#include "keel/base/error.h"

namespace keel {

int32_t ForestBuilder::add(std::span<const int64_t> tokens, int32_t parent) {
  if (tokens.empty()) throw Error("forest", "expected at least one token in a segment, got none");
  const auto index = static_cast<int32_t>(segments_.size());
  if (parent >= index) throw std::logic_error("forest: a parent comes before its children");
  // Depth first: the parent must be the previous segment or one of its ancestors.
  int32_t open = index - 1;
  while (parent >= 0 && open != parent && open >= 0) open = segments_[static_cast<size_t>(open)].parent;
  if (parent >= 0 && open != parent) throw std::logic_error("forest: segments must be in depth-first order");
  int64_t position = parent < 0 ? 0 : positions_[static_cast<size_t>(last_row(parent))] + 1;
  const int64_t begin = size();
  for (const int64_t token : tokens) {
    tokens_.push_back(token);
    positions_.push_back(position++);
  }
  segments_.push_back({begin, size(), parent});
  return index;
}

Forest ForestBuilder::build() const {
  return {at::tensor(tokens_, at::kLong), at::tensor(positions_, at::kLong), segments_};
}

Tensor distinct_rows(const std::vector<Tensor>& lists) {
  std::vector<int64_t> rows;
  for (const Tensor& list : lists) {
    const Tensor whole = list.contiguous();
    rows.insert(rows.end(), whole.const_data_ptr<int64_t>(), whole.const_data_ptr<int64_t>() + whole.numel());
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return at::tensor(rows, at::kLong);
}

}  // namespace keel
