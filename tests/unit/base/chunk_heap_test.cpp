#include "keel/base/chunk_heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace keel {
namespace {

constexpr size_t kChunk = ChunkHeap::kChunk;

// A buffer that is written wholly and must keep what was written.
struct Buffer {
  unsigned char* at = nullptr;
  size_t bytes = 0;
  unsigned char mark = 0;

  Buffer(ChunkHeap& heap, size_t size, unsigned char value)
      : at(static_cast<unsigned char*>(heap.take(size))), bytes(size), mark(value) {
    for (size_t i = 0; i < bytes; i += 512) at[i] = mark;
    at[bytes - 1] = mark;
  }
  bool intact() const {
    for (size_t i = 0; i < bytes; i += 512)
      if (at[i] != mark) return false;
    return at[bytes - 1] == mark;
  }
};

size_t rounded(size_t bytes) {
  return (bytes + kChunk - 1) / kChunk * kChunk;
}

TEST(ChunkHeap, BuffersAreAlignedAndTheirBytesTheirOwn) {
  ChunkHeap heap;
  const Buffer a(heap, 1, 1), b(heap, kChunk + 1, 2), c(heap, 3 * kChunk, 3);
  for (const Buffer* buffer : {&a, &b, &c}) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->at) % kChunk, 0U);
    EXPECT_TRUE(buffer->intact());
  }
  EXPECT_EQ(heap.held_bytes(), 6 * kChunk);
}

TEST(ChunkHeap, WhatWasFreedServesALongerBuffer) {
  ChunkHeap heap;
  std::vector<Buffer> short_ones, kept;
  for (unsigned char i = 0; i < 8; ++i) {
    short_ones.emplace_back(heap, kChunk, i);
    kept.emplace_back(heap, kChunk, static_cast<unsigned char>(100 + i));
  }
  for (const Buffer& buffer : short_ones) EXPECT_TRUE(heap.give_back(buffer.at));
  const Buffer whole(heap, 8 * kChunk, 200);  // of eight single chunks
  EXPECT_EQ(heap.held_bytes(), 16 * kChunk);
  EXPECT_TRUE(whole.intact());
  for (const Buffer& buffer : kept) EXPECT_TRUE(buffer.intact());
}

TEST(ChunkHeap, HoldsWhatEverLivedAtOnceAndNoMore) {
  ChunkHeap heap;
  std::mt19937 random(7);
  std::vector<Buffer> live;
  size_t now = 0, most = 0;
  for (int i = 0; i < 2000; ++i) {
    if (live.size() > 12 || (!live.empty() && random() % 2 == 0)) {
      const size_t which = random() % live.size();
      ASSERT_TRUE(live[which].intact());
      ASSERT_TRUE(heap.give_back(live[which].at));
      now -= rounded(live[which].bytes);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(which));
    } else {
      live.emplace_back(heap, 1 + random() % (9 * kChunk), static_cast<unsigned char>(random()));
      now += rounded(live.back().bytes);
      most = std::max(most, now);
    }
    ASSERT_EQ(heap.held_bytes(), most);
  }
}

TEST(ChunkHeap, ForeignBuffersAreRefused) {
  ChunkHeap heap;
  const Buffer mine(heap, kChunk, 1);
  int other = 0;
  EXPECT_FALSE(heap.give_back(&other));
  EXPECT_FALSE(heap.give_back(mine.at + 64));
  EXPECT_TRUE(heap.give_back(mine.at));
  EXPECT_FALSE(heap.give_back(mine.at));
}

TEST(ChunkHeap, MoreThanThereIsIsBadAlloc) {
  ChunkHeap heap;
  EXPECT_THROW(heap.take(size_t{1} << 60), std::bad_alloc);
  const Buffer after(heap, kChunk, 9);
  EXPECT_TRUE(after.intact());
}

TEST(ChunkHeap, ThreadsTakeAndGiveBack) {
  ChunkHeap heap;
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 200; ++i) {
      const Buffer buffer(heap, 1 + random() % (5 * kChunk), static_cast<unsigned char>(seed));
      ASSERT_TRUE(buffer.intact());
      heap.give_back(buffer.at);
    }
  };
  std::thread one(work, 1), two(work, 2);
  one.join(), two.join();
  EXPECT_LE(heap.held_bytes(), 10 * kChunk);
}

}  // namespace
}  // namespace keel
