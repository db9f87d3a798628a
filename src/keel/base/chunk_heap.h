// Memory for large buffers, in chunks of 2 MiB that can be moved.
//
// A training step frees and takes buffers of many sizes again and again. Given back to the kernel they must
// be zeroed and mapped anew (measured: 0.1 ms for 2 MiB, and 5.7 ms in a virtual machine whose host takes
// free pages back); kept by the C library's heap they fragment it (a fifth above what lives, differing from
// run to run). Here the pages of a freed buffer stay, and where no free stretch is long enough free chunks
// are moved together by remapping them (mremap, 7 us a chunk, nothing is copied). So the heap holds exactly
// the largest sum of buffers that ever lived at once.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

namespace keel {

class ChunkHeap {
 public:
  static constexpr size_t kChunk = size_t{2} << 20;

  ChunkHeap() = default;
  ChunkHeap(const ChunkHeap&) = delete;
  ChunkHeap& operator=(const ChunkHeap&) = delete;
  /// Unmaps what is free. Buffers that live are not touched.
  ~ChunkHeap();

  /// A buffer of at least so many bytes, aligned to a chunk, of any content. Errors: std::bad_alloc. Safe
  /// from several threads, as is give_back.
  void* take(size_t bytes);
  /// False: the buffer is none of this heap's.
  bool give_back(void* buffer);

  /// Bytes mapped, in use or free.
  size_t held_bytes() const;

 private:
  using Stretches = std::map<char*, size_t>;  // address -> chunks

  char* cut(size_t chunks);     // of one free stretch that is long enough; null: there is none
  char* gather(size_t chunks);  // of several, and of new memory
  void release(char* at, size_t chunks);

  mutable std::mutex mutex_;
  Stretches free_, taken_;  // of free_, no two are neighbours
  size_t held_ = 0;         // chunks
};

}  // namespace keel
