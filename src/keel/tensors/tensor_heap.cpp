#include "keel/tensors/tensor_heap.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include "keel/base/chunk_heap.h"

namespace keel {
namespace {

constexpr size_t kLarge = size_t{8} << 20;  // a chunk's rounding is a seventh at most

// Never destroyed: tensors of static storage outlive it.
ChunkHeap& heap() {
  static ChunkHeap* const only = new ChunkHeap();
  return *only;
}

// Of either kind. Only what begins at a chunk can be the heap's.
void give_back(void* buffer) {
  const bool may_be_large = reinterpret_cast<uintptr_t>(buffer) % ChunkHeap::kChunk == 0;
  if (!may_be_large || !heap().give_back(buffer)) c10::GetDefaultCPUAllocator()->raw_deallocate(buffer);
}

class TensorHeap final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* const buffer =
        bytes < kLarge ? c10::GetDefaultCPUAllocator()->raw_allocate(bytes) : heap().take(bytes);
    return {buffer, buffer, &give_back, at::Device(at::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }  // oneDNN asks for one
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

}  // namespace

void use_tensor_heap() {
  static TensorHeap* const only = [] {
    auto* allocator = new TensorHeap();
    c10::SetCPUAllocator(allocator, /*priority=*/1);
    return allocator;
  }();
  (void)only;
}

}  // namespace keel
