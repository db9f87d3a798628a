// The sampler's cache of keys and values: the same forest as in training, growing at its leaves. A prompt's
// rows are stored once for all of its samples; each sample owns a range of slots for what it adds.
#pragma once

#include "keel/models/decoder.h"

namespace keel {

/// Slots [begin, end) of the cache.
struct SlotRange {
  int64_t begin = 0, end = 0;
};

class KvCache {
 public:
  KvCache(const DecoderConfig& config, int64_t slots, at::TensorOptions options);

  /// A range of `count` free slots, or nothing when no gap is wide enough (first fit).
  std::optional<SlotRange> allocate(int64_t count);
  void release(SlotRange range);

  Tensor& keys(int64_t layer) { return keys_[static_cast<size_t>(layer)]; }      // (slots, kv_heads, d)
  Tensor& values(int64_t layer) { return values_[static_cast<size_t>(layer)]; }  // (slots, kv_heads, d)
  int64_t slots() const { return slots_; }

 private:
  int64_t slots_;
  std::vector<Tensor> keys_, values_;
  std::map<int64_t, int64_t> taken_;  // begin → end
};

/// One new row of the cache: where its key and value go, and what it attends to.
struct CacheRow {
  int64_t slot = 0;
  SlotRange prompt, own;  // own ends with the row's own slot
};

/// Runs whole prompts (roots of a forest) and stores their keys and values: `slots` (N) int64, one for each
/// row.
class PrefillAttend : public Attend {
 public:
  PrefillAttend(KvCache& cache, const std::vector<Segment>& segments, Tensor slots, double scale);
  Tensor operator()(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v) override;

 private:
  KvCache& cache_;
  const std::vector<Segment>& segments_;
  Tensor slots_;
  double scale_;
};

/// Runs one new token of each row against the cache.
class DecodeAttend : public Attend {
 public:
  DecodeAttend(KvCache& cache, std::vector<CacheRow> rows, double scale);
  Tensor operator()(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v) override;

 private:
  KvCache& cache_;
  std::vector<CacheRow> rows_;
  Tensor slots_;
  double scale_;
};

}  // namespace keel
