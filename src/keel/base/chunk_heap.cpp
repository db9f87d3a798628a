#include "keel/base/chunk_heap.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <new>

namespace keel {
namespace {

constexpr size_t kChunk = ChunkHeap::kChunk;

// Addresses without memory, aligned to a chunk. Null: there are none left.
char* reserve(size_t chunks) {
  const size_t bytes = (chunks + 1) * kChunk;
  void* found = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (found == MAP_FAILED) return nullptr;
  char* const first = static_cast<char*>(found);
  const size_t before = (kChunk - reinterpret_cast<uintptr_t>(first) % kChunk) % kChunk;
  if (before > 0) ::munmap(first, before);
  ::munmap(first + before + chunks * kChunk, kChunk - before);
  return first + before;
}

// New memory at addresses that are reserved.
bool map_new(char* at, size_t chunks) {
  void* const got =
      ::mmap(at, chunks * kChunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (got == MAP_FAILED) return false;
  ::madvise(at, chunks * kChunk, MADV_HUGEPAGE);  // where the kernel has none, small pages do
  return true;
}

// One chunk's pages to another address. The kernel may refuse when it has too many mappings: then the pages
// are given up for new ones.
bool move_chunk(char* from, char* to) {
  if (::mremap(from, kChunk, kChunk, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED) return true;
  ::munmap(from, kChunk);
  return map_new(to, 1);
}

}  // namespace

ChunkHeap::~ChunkHeap() {
  for (const auto& [at, chunks] : free_) ::munmap(at, chunks * kChunk);
}

void* ChunkHeap::take(size_t bytes) {
  const std::lock_guard lock(mutex_);
  const size_t chunks = std::max<size_t>(1, bytes / kChunk + (bytes % kChunk != 0));
  char* at = cut(chunks);
  if (at == nullptr) at = gather(chunks);
  taken_.emplace(at, chunks);
  return at;
}

bool ChunkHeap::give_back(void* buffer) {
  const std::lock_guard lock(mutex_);
  const auto found = taken_.find(static_cast<char*>(buffer));
  if (found == taken_.end()) return false;
  const auto [at, chunks] = *found;
  taken_.erase(found);
  release(at, chunks);
  return true;
}

size_t ChunkHeap::held_bytes() const {
  const std::lock_guard lock(mutex_);
  return held_ * kChunk;
}

// The shortest that is long enough, so that the long ones stay whole.
char* ChunkHeap::cut(size_t chunks) {
  auto best = free_.end();
  for (auto it = free_.begin(); it != free_.end(); ++it)
    if (it->second >= chunks && (best == free_.end() || it->second < best->second)) best = it;
  if (best == free_.end()) return nullptr;
  const auto [at, length] = *best;
  free_.erase(best);
  if (length > chunks) free_.emplace(at + chunks * kChunk, length - chunks);
  return at;
}

// Eats the shortest stretches first: they are the least use to others.
char* ChunkHeap::gather(size_t chunks) {
  char* const target = reserve(chunks);
  if (target == nullptr) throw std::bad_alloc();
  size_t filled = 0;
  const auto give_up = [&] {
    ::munmap(target + filled * kChunk, (chunks - filled) * kChunk);
    if (filled > 0) release(target, filled);
    throw std::bad_alloc();
  };
  while (filled < chunks && !free_.empty()) {
    const auto shortest = std::min_element(free_.begin(), free_.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
    char* from = shortest->first;
    size_t length = shortest->second;
    free_.erase(shortest);
    for (; length > 0 && filled < chunks; --length, from += kChunk, ++filled)
      if (!move_chunk(from, target + filled * kChunk)) {
        --held_;
        if (length > 1) free_.emplace(from + kChunk, length - 1);
        give_up();
      }
    if (length > 0) free_.emplace(from, length);
  }
  if (filled < chunks) {
    if (!map_new(target + filled * kChunk, chunks - filled)) give_up();
    held_ += chunks - filled;
  }
  return target;
}

void ChunkHeap::release(char* at, size_t chunks) {
  auto next = free_.lower_bound(at);
  if (next != free_.end() && at + chunks * kChunk == next->first) {
    chunks += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second * kChunk == at) {
      before->second += chunks;
      return;
    }
  }
  free_.emplace(at, chunks);
}

}  // namespace keel
