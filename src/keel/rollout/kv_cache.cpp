#include "keel/rollout/kv_cache.h"

#include "keel/tensors/cache_attention.h"
#include "keel/tensors/forest_attention.h"

namespace keel {

KvCache::KvCache(const DecoderConfig& config, int64_t slots, at::TensorOptions options) : slots_(slots) {
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    keys_.push_back(at::empty({slots, config.kv_heads, config.head_size}, options));
    values_.push_back(at::empty({slots, config.kv_heads, config.head_size}, options));
  }
}

std::optional<SlotRange> KvCache::allocate(int64_t count) {
  int64_t begin = 0;
  for (const auto& [taken_begin, taken_end] : taken_) {
    if (taken_begin - begin >= count) break;
    begin = taken_end;
  }
  if (slots_ - begin < count) return std::nullopt;
  taken_[begin] = begin + count;
  return SlotRange{begin, begin + count};
}

void KvCache::release(SlotRange range) {
  taken_.erase(range.begin);
}

PrefillAttend::PrefillAttend(KvCache& cache, const std::vector<Segment>& segments, Tensor slots, double scale)
    : cache_(cache), segments_(segments), slots_(std::move(slots)), scale_(scale) {}

Tensor PrefillAttend::operator()(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v) {
  cache_.keys(layer).index_copy_(0, slots_, k);
  cache_.values(layer).index_copy_(0, slots_, v);
  return forest_attention(q, k, v, segments_, scale_);
}

DecodeAttend::DecodeAttend(KvCache& cache, std::vector<CacheRow> rows, double scale)
    : cache_(cache), rows_(std::move(rows)), scale_(scale) {
  std::vector<int64_t> slots;
  for (const CacheRow& row : rows_) slots.push_back(row.slot);
  slots_ = at::tensor(slots, at::kLong);
}

Tensor DecodeAttend::operator()(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v) {
  cache_.keys(layer).index_copy_(0, slots_, k);
  cache_.values(layer).index_copy_(0, slots_, v);
  std::vector<KeyRanges> ranges;
  for (const CacheRow& row : rows_)
    ranges.push_back({row.prompt.begin, row.prompt.end, row.own.begin, row.own.end});
  return cache_attention(q, cache_.keys(layer), cache_.values(layer), ranges, scale_);
}

}  // namespace keel
