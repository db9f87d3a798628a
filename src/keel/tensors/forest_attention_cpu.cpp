// The keys and values of a segment's chain (its ancestors from the root on, then itself) are copied side by
// side, the keys also transposed, so that scores are computed for many keys at once whatever the head size
// is. A row then needs one softmax over the keys up to itself: nothing masked is computed and nothing is
// merged.
#include "keel/tensors/forest_attention_cpu.h"

#include <cmath>

#include "keel/tensors/forest_attention_blocks.h"
#include "keel/tensors/simd.h"

namespace keel {
namespace {

// The shape of one call, shared by all of its tasks.
struct Shape {
  int64_t heads, kv_heads, d;
  int64_t group() const { return heads / kv_heads; }
};

// scores[j] = scale * sum_c x[c] * transposed[c][j]
template <class T>
KEEL_INLINE void dot_with_all(T* scores, const T* x, const T* transposed, int64_t stride, int64_t count,
                              int64_t d, T scale) {
  for (int64_t j = 0; j < count; ++j) scores[j] = 0;
  for (int64_t c = 0; c < d; ++c) {
    const T factor = x[c] * scale;
    const T* row = transposed + c * stride;
#pragma omp simd
    for (int64_t j = 0; j < count; ++j) scores[j] += factor * row[j];
  }
}

// out[c] = sum_j weights[j] * rows[j][c]
template <class T>
KEEL_INLINE void weighted_sum(T* out, const T* weights, const T* rows, int64_t count, int64_t d) {
  for (int64_t c = 0; c < d; ++c) out[c] = 0;
  for (int64_t j = 0; j < count; ++j) {
#pragma omp simd
    for (int64_t c = 0; c < d; ++c) out[c] += weights[j] * rows[j * d + c];
  }
}

// rows[j][c] += weights[j] * x[c]
template <class T>
KEEL_INLINE void add_outer(T* rows, const T* weights, const T* x, int64_t count, int64_t d) {
  for (int64_t j = 0; j < count; ++j) {
#pragma omp simd
    for (int64_t c = 0; c < d; ++c) rows[j * d + c] += weights[j] * x[c];
  }
}

// Turns scores into probabilities in place and returns their log-sum-exp.
template <class T>
KEEL_INLINE T softmax(T* scores, int64_t count) {
  T highest = scores[0];
#pragma omp simd reduction(max : highest)
  for (int64_t j = 0; j < count; ++j) highest = scores[j] > highest ? scores[j] : highest;
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < count; ++j) {
    scores[j] = std::exp(scores[j] - highest);
    sum += scores[j];
  }
  const T inverse = 1 / sum;
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) scores[j] *= inverse;
  return highest + std::log(sum);
}

// scores[j] = exp(scores[j] - lse)
template <class T>
KEEL_INLINE void exponentiate(T* scores, T lse, int64_t count) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) scores[j] = std::exp(scores[j] - lse);
}

template <class T>
struct RowForward {
  T *scores, *out;
  const T *q, *keys_transposed, *values;
  int64_t stride, count, d;
  T scale;
};

template <class T>
KEEL_INLINE T row_forward_body(const RowForward<T>& r) {
  dot_with_all(r.scores, r.q, r.keys_transposed, r.stride, r.count, r.d, r.scale);
  const T lse = softmax(r.scores, r.count);
  weighted_sum(r.out, r.scores, r.values, r.count, r.d);
  return lse;
}

template <class T>
struct RowBackward {
  T *scores, *score_grads, *dq, *dkeys, *dvalues;
  const T *q, *out, *grad, *keys, *keys_transposed, *values_transposed;
  int64_t stride, count, d;
  T scale, lse;
};

// With P the probabilities: dP = grad Vᵀ, dS = P (dP - grad·out), dq = scale dS K, dk = scale dSᵀ q, dv = Pᵀ
// grad.
template <class T>
KEEL_INLINE void row_backward_body(const RowBackward<T>& r) {
  dot_with_all(r.scores, r.q, r.keys_transposed, r.stride, r.count, r.d, r.scale);
  exponentiate(r.scores, r.lse, r.count);
  dot_with_all(r.score_grads, r.grad, r.values_transposed, r.stride, r.count, r.d, T(1));
  T along = 0;
  for (int64_t c = 0; c < r.d; ++c) along += r.grad[c] * r.out[c];
  add_outer(r.dvalues, r.scores, r.grad, r.count, r.d);
#pragma omp simd
  for (int64_t j = 0; j < r.count; ++j) r.score_grads[j] = r.scale * r.scores[j] * (r.score_grads[j] - along);
  weighted_sum(r.dq, r.score_grads, r.keys, r.count, r.d);
  add_outer(r.dkeys, r.score_grads, r.q, r.count, r.d);
}

KEEL_DISPATCHED double row_forward(const RowForward<double>& row) {
  return row_forward_body(row);
}
KEEL_DISPATCHED void row_backward(const RowBackward<double>& row) {
  row_backward_body(row);
}

// The key rows that a segment's rows may see: ancestors from the root on, then the segment itself.
std::vector<Segment> chain_of(const std::vector<Segment>& segments, size_t index) {
  std::vector<Segment> chain = {segments[index]};
  for (int32_t parent = segments[index].parent; parent >= 0;
       parent = segments[static_cast<size_t>(parent)].parent)
    chain.insert(chain.begin(), segments[static_cast<size_t>(parent)]);
  return chain;
}

// The rows of one key head along a chain, copied together: (count, d), and transposed (d, count).
template <class T>
class ChainRows {
 public:
  ChainRows(const T* packed, const std::vector<Segment>& chain, int64_t kv_heads, int64_t kv_head, int64_t d)
      : d_(d) {
    for (const Segment& segment : chain)
      for (int64_t row = segment.begin; row < segment.end; ++row) {
        const T* source = packed + (row * kv_heads + kv_head) * d;
        rows_.insert(rows_.end(), source, source + d);
      }
  }
  int64_t count() const { return static_cast<int64_t>(rows_.size()) / d_; }
  const T* rows() const { return rows_.data(); }
  const T* transposed() {
    transposed_.resize(rows_.size());
    const int64_t n = count();
    for (int64_t j = 0; j < n; ++j)
      for (int64_t c = 0; c < d_; ++c)
        transposed_[static_cast<size_t>(c * n + j)] = rows_[static_cast<size_t>(j * d_ + c)];
    return transposed_.data();
  }

 private:
  int64_t d_;
  std::vector<T> rows_, transposed_;
};

template <class T>
void add_to_packed(T* packed, const std::vector<T>& rows, const std::vector<Segment>& chain, int64_t kv_heads,
                   int64_t kv_head, int64_t d) {
  const T* source = rows.data();
  for (const Segment& segment : chain)
    for (int64_t row = segment.begin; row < segment.end; ++row, source += d) {
      T* target = packed + (row * kv_heads + kv_head) * d;
      for (int64_t c = 0; c < d; ++c) target[c] += source[c];
    }
}

template <class T>
struct Forward {
  const T *q, *k, *v;
  T *out, *lse;
  Shape shape;
  T scale;

  void segment(const std::vector<Segment>& segments, size_t index, int64_t kv_head) const {
    const auto chain = chain_of(segments, index);
    ChainRows<T> keys(k, chain, shape.kv_heads, kv_head, shape.d),
        values(v, chain, shape.kv_heads, kv_head, shape.d);
    const T* transposed = keys.transposed();
    const int64_t before = keys.count() - segments[index].size();
    std::vector<T> scores(static_cast<size_t>(keys.count()));
    for (int64_t row = segments[index].begin; row < segments[index].end; ++row)
      for (int64_t head = kv_head * shape.group(); head < (kv_head + 1) * shape.group(); ++head) {
        const int64_t at = row * shape.heads + head;
        lse[at] = row_forward({scores.data(), out + at * shape.d, q + at * shape.d, transposed, values.rows(),
                               keys.count(), before + row - segments[index].begin + 1, shape.d, scale});
      }
  }
};

template <class T>
struct Backward {
  const T *q, *k, *v, *out, *lse, *grad;
  T *dq, *dk, *dv;
  Shape shape;
  T scale;

  void segment(const std::vector<Segment>& segments, size_t index, int64_t kv_head) const {
    const auto chain = chain_of(segments, index);
    ChainRows<T> keys(k, chain, shape.kv_heads, kv_head, shape.d),
        values(v, chain, shape.kv_heads, kv_head, shape.d);
    const T *keys_transposed = keys.transposed(), *values_transposed = values.transposed();
    const auto count = static_cast<size_t>(keys.count());
    const auto width = static_cast<size_t>(shape.d);
    const int64_t before = keys.count() - segments[index].size();
    std::vector<T> scores(count), score_grads(count), dkeys(count * width), dvalues(count * width);
    for (int64_t row = segments[index].begin; row < segments[index].end; ++row)
      for (int64_t head = kv_head * shape.group(); head < (kv_head + 1) * shape.group(); ++head) {
        const int64_t at = row * shape.heads + head, offset = at * shape.d;
        row_backward({scores.data(), score_grads.data(), dq + offset, dkeys.data(), dvalues.data(),
                      q + offset, out + offset, grad + offset, keys.rows(), keys_transposed,
                      values_transposed, keys.count(), before + row - segments[index].begin + 1, shape.d,
                      scale, lse[at]});
      }
    add_to_packed(dk, dkeys, chain, shape.kv_heads, kv_head, shape.d);
    add_to_packed(dv, dvalues, chain, shape.kv_heads, kv_head, shape.d);
  }
};

// The index of each root, and one past the last segment.
std::vector<size_t> tree_bounds(const std::vector<Segment>& segments) {
  std::vector<size_t> bounds;
  for (size_t i = 0; i < segments.size(); ++i)
    if (segments[i].parent < 0) bounds.push_back(i);
  bounds.push_back(segments.size());
  return bounds;
}

// Calls task(segment, kv_head) for all; a tree and head stay on one thread, in order.
template <class Task>
void for_each_tree(const std::vector<Segment>& segments, int64_t kv_heads, const Task& task) {
  const auto bounds = tree_bounds(segments);
  const auto trees = static_cast<int64_t>(bounds.size()) - 1;
  at::parallel_for(0, trees * kv_heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const auto tree = static_cast<size_t>(item / kv_heads);
      for (size_t index = bounds[tree]; index < bounds[tree + 1]; ++index) task(index, item % kv_heads);
    }
  });
}

AttentionShape shape_of(const Tensor& q, const Tensor& k, double scale) {
  const int64_t d = q.size(2), wide = q.size(1) * d, narrow = k.size(1) * d;
  return {q.size(1), k.size(1), d, wide, narrow, narrow, wide, scale};
}

void forward_rows(const Tensor& q, const Tensor& k, const Tensor& v, const std::vector<Segment>& segments,
                  double scale, Tensor& out, Tensor& lse) {
  const Forward<double> work{q.const_data_ptr<double>(),
                             k.const_data_ptr<double>(),
                             v.const_data_ptr<double>(),
                             out.data_ptr<double>(),
                             lse.data_ptr<double>(),
                             {q.size(1), k.size(1), q.size(2)},
                             scale};
  for_each_tree(segments, k.size(1),
                [&](size_t index, int64_t head) { work.segment(segments, index, head); });
}

template <class T>
void forward_blocks(const Tensor& q, const Tensor& k, const Tensor& v, const std::vector<Segment>& segments,
                    double scale, Tensor& out, Tensor& lse) {
  forest_attention_forward_blocks<T>(shape_of(q, k, scale), segments, q.const_data_ptr<T>(),
                                     k.const_data_ptr<T>(), v.const_data_ptr<T>(), out.data_ptr<T>(),
                                     lse.data_ptr<float>());
}

void backward_rows(const Tensor& q, const Tensor& k, const Tensor& v, const std::vector<Segment>& segments,
                   double scale, const Tensor& out, const Tensor& lse, const Tensor& grad, Tensor& dq,
                   Tensor& dk, Tensor& dv) {
  const Backward<double> work{q.const_data_ptr<double>(),
                              k.const_data_ptr<double>(),
                              v.const_data_ptr<double>(),
                              out.const_data_ptr<double>(),
                              lse.const_data_ptr<double>(),
                              grad.const_data_ptr<double>(),
                              dq.data_ptr<double>(),
                              dk.data_ptr<double>(),
                              dv.data_ptr<double>(),
                              {q.size(1), k.size(1), q.size(2)},
                              scale};
  for_each_tree(segments, k.size(1),
                [&](size_t index, int64_t head) { work.segment(segments, index, head); });
}

template <class T>
void backward_blocks(const Tensor& q, const Tensor& k, const Tensor& v, const std::vector<Segment>& segments,
                     double scale, const Tensor& out, const Tensor& lse, const Tensor& grad, Tensor& dq,
                     Tensor& dk, Tensor& dv) {
  forest_attention_backward_blocks<T>(shape_of(q, k, scale), segments, q.const_data_ptr<T>(),
                                      k.const_data_ptr<T>(), v.const_data_ptr<T>(), out.const_data_ptr<T>(),
                                      lse.const_data_ptr<float>(), grad.const_data_ptr<T>(), dq.data_ptr<T>(),
                                      dk.data_ptr<T>(), dv.data_ptr<T>());
}

}  // namespace

void forest_attention_forward_cpu(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const std::vector<Segment>& segments, double scale, Tensor& out,
                                  Tensor& lse) {
  const auto type = q.scalar_type();
  const auto run = type == at::kDouble  ? &forward_rows
                   : type == at::kFloat ? &forward_blocks<float>
                                        : &forward_blocks<at::BFloat16>;
  run(q, k, v, segments, scale, out, lse);
}

void forest_attention_backward_cpu(const Tensor& q, const Tensor& k, const Tensor& v,
                                   const std::vector<Segment>& segments, double scale, const Tensor& out,
                                   const Tensor& lse, const Tensor& grad, Tensor& dq, Tensor& dk,
                                   Tensor& dv) {
  const auto type = q.scalar_type();
  const auto run = type == at::kDouble  ? &backward_rows
                   : type == at::kFloat ? &backward_blocks<float>
                                        : &backward_blocks<at::BFloat16>;
  run(q, k, v, segments, scale, out, lse, grad, dq, dk, dv);
}

}  // namespace keel
