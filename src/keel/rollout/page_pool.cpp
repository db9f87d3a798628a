#include "keel/rollout/page_pool.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <stdexcept>

#include "keel/tensors/decode_kernels.h"

namespace keel {

PagePool::PagePool(int64_t pages) : free_(static_cast<size_t>(pages)) {
  std::iota(free_.begin(), free_.end(), 0);  // sorted is a heap
}

int32_t PagePool::take() {
  if (free_.empty()) throw std::logic_error("page pool: no page is free");
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const int32_t page = free_.back();
  free_.pop_back();
  return page;
}

void PagePool::give_back(int32_t page) {
  free_.push_back(page);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
}

int64_t pages_for(int64_t positions) {
  return (positions + kPagePositions - 1) / kPagePositions;
}
int64_t slots_for(int64_t positions) {
  return pages_for(positions) * kPagePositions;
}

}  // namespace keel
