#include "keel/tensors/cache_attention.h"

#include <cmath>

#include "keel/tensors/checks.h"
#include "keel/tensors/simd.h"

namespace keel {
namespace {

template <class T>
struct CacheRowWork {
  const T *q, *keys, *values;  // of one row and head; keys and values of slot 0
  T *scores, *out;
  int64_t stride, d;  // elements from one slot to the next
  T scale;
  KeyRanges ranges;
};

template <class T>
KEEL_INLINE T* score_range(const CacheRowWork<T>& w, int64_t begin, int64_t end, T* scores) {
  for (int64_t slot = begin; slot < end; ++slot) {
    const T* key = w.keys + slot * w.stride;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < w.d; ++c) sum += w.q[c] * key[c];
    *scores++ = sum * w.scale;
  }
  return scores;
}

template <class T>
KEEL_INLINE const T* add_range(const CacheRowWork<T>& w, int64_t begin, int64_t end, const T* weights) {
  for (int64_t slot = begin; slot < end; ++slot) {
    const T weight = *weights++;
    const T* value = w.values + slot * w.stride;
#pragma omp simd
    for (int64_t c = 0; c < w.d; ++c) w.out[c] += weight * value[c];
  }
  return weights;
}

template <class T>
KEEL_INLINE void cache_row_body(const CacheRowWork<T>& w) {
  T* end = score_range(w, w.ranges.first_begin, w.ranges.first_end, w.scores);
  end = score_range(w, w.ranges.second_begin, w.ranges.second_end, end);
  const int64_t count = end - w.scores;
  T highest = w.scores[0];
  for (int64_t j = 1; j < count; ++j) highest = w.scores[j] > highest ? w.scores[j] : highest;
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < count; ++j) {
    w.scores[j] = std::exp(w.scores[j] - highest);
    sum += w.scores[j];
  }
  for (int64_t j = 0; j < count; ++j) w.scores[j] /= sum;
  for (int64_t c = 0; c < w.d; ++c) w.out[c] = 0;
  const T* weights = add_range(w, w.ranges.first_begin, w.ranges.first_end, w.scores);
  add_range(w, w.ranges.second_begin, w.ranges.second_end, weights);
}

KEEL_DISPATCHED void cache_row(const CacheRowWork<float>& work) {
  cache_row_body(work);
}
KEEL_DISPATCHED void cache_row(const CacheRowWork<double>& work) {
  cache_row_body(work);
}

template <class T>
void attend_as(const Tensor& q, const Tensor& keys, const Tensor& values,
               const std::vector<KeyRanges>& ranges, double scale, Tensor& out) {
  const int64_t heads = q.size(1), kv_heads = keys.size(1), d = q.size(2), group = heads / kv_heads;
  const T *queries = q.const_data_ptr<T>(), *k = keys.const_data_ptr<T>(), *v = values.const_data_ptr<T>();
  T* result = out.data_ptr<T>();
  at::parallel_for(0, q.size(0) * heads, 16, [&](int64_t begin, int64_t end) {
    std::vector<T> scores;
    for (int64_t item = begin; item < end; ++item) {
      const KeyRanges& r = ranges[static_cast<size_t>(item / heads)];
      scores.resize(static_cast<size_t>(r.first_end - r.first_begin + r.second_end - r.second_begin));
      const int64_t kv_offset = item % heads / group * d;
      cache_row({queries + item * d, k + kv_offset, v + kv_offset, scores.data(), result + item * d,
                 kv_heads * d, d, static_cast<T>(scale), r});
    }
  });
}

void check_arguments(const Tensor& q, const Tensor& keys, const Tensor& values,
                     const std::vector<KeyRanges>& ranges) {
  check_shape("cache_attention", "q", q, {static_cast<int64_t>(ranges.size()), -1, -1});
  check_shape("cache_attention", "keys", keys, {-1, -1, q.size(2)});
  check_shape("cache_attention", "values", values, keys.sizes().vec());
}

}  // namespace

Tensor cache_attention(const Tensor& q, const Tensor& keys, const Tensor& values,
                       const std::vector<KeyRanges>& ranges, double scale) {
  if (!q.is_cpu()) return cache_attention_plain(q, keys, values, ranges, scale);
  check_arguments(q, keys, values, ranges);
  const Tensor queries = q.contiguous();
  Tensor out = at::empty_like(queries);
  const auto run = q.scalar_type() == at::kDouble ? attend_as<double> : attend_as<float>;
  run(queries, keys, values, ranges, scale, out);
  return out;
}

Tensor cache_attention_plain(const Tensor& q, const Tensor& keys, const Tensor& values,
                             const std::vector<KeyRanges>& ranges, double scale) {
  check_arguments(q, keys, values, ranges);
  const int64_t group = q.size(1) / keys.size(1);
  std::vector<Tensor> rows;
  for (size_t i = 0; i < ranges.size(); ++i) {
    const KeyRanges& r = ranges[i];
    const auto seen = [&](const Tensor& cache) {
      return at::cat(
                 {cache.slice(0, r.first_begin, r.first_end), cache.slice(0, r.second_begin, r.second_end)})
          .repeat_interleave(group, 1)
          .transpose(0, 1);
    };
    const Tensor query = q.select(0, static_cast<int64_t>(i)).unsqueeze(1);
    const Tensor weights = (query.matmul(seen(keys).transpose(1, 2)) * scale).softmax(-1);
    rows.push_back(weights.matmul(seen(values)).squeeze(1));
  }
  return at::stack(rows);
}

}  // namespace keel
