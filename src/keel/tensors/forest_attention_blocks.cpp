#include "keel/tensors/forest_attention_blocks.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "keel/tensors/block_product.h"
#include "keel/tensors/raw_bits.h"
#include "keel/tensors/simd.h"

namespace keel {
namespace {

constexpr int64_t kBlock = kAttentionBlock;

int64_t rounded_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Few shapes of products: each is compiled when it is first met.
int64_t product_rows(int64_t rows) {
  return rounded_up(rows, 16);
}

template <class T>
void transpose_block(const T* from, T* to) {
  constexpr int64_t kTile = 8;
  for (int64_t r = 0; r < kBlock; r += kTile)
    for (int64_t c = 0; c < kBlock; c += kTile)
      for (int64_t i = 0; i < kTile; ++i)
        for (int64_t j = 0; j < kTile; ++j) to[(c + j) * kBlock + r + i] = from[(r + i) * kBlock + c + j];
}

// Copies of one head of a range of tokens, block by block, zero behind its end, in the forms that products
// want.
template <class T>
class PackedRows {
 public:
  enum Form : unsigned { kRows = 1, kByRows = 2, kByColumns = 4 };

  PackedRows(int64_t width, unsigned forms) : width_(width), size_(kBlock * width), forms_(forms) {}

  int64_t blocks() const { return count_; }
  void clear() { count_ = 0; }
  /// `rows` at most kBlock, of `columns` elements each.
  void add(const T* x, int64_t stride, int64_t rows, int64_t columns) {
    const auto end = static_cast<size_t>(++count_ * size_);
    for (std::vector<T>* form : {&rows_, &by_rows_, &by_columns_})
      if (form->size() < end) form->resize(end);
    T* copy = rows_.data() + end - size_;
    for (int64_t r = 0; r < kBlock; ++r)
      for (int64_t c = 0; c < width_; ++c)
        copy[r * width_ + c] = r < rows && c < columns ? x[r * stride + c] : T(0);
    if (forms_ & kByRows) pack_by_rows(copy, width_, kBlock, width_, by_rows_.data() + end - size_);
    if (forms_ & kByColumns) pack_by_columns(copy, width_, kBlock, width_, by_columns_.data() + end - size_);
  }
  const T* rows(int64_t block) const { return rows_.data() + block * size_; }
  const T* by_rows(int64_t block) const { return by_rows_.data() + block * size_; }
  const T* by_columns(int64_t block) const { return by_columns_.data() + block * size_; }

 private:
  int64_t width_, size_, count_ = 0;
  unsigned forms_;
  std::vector<T> rows_, by_rows_, by_columns_;
};

// A tree's segments, and where their blocks of keys begin among the tree's.
struct Tree {
  size_t first, last;  // segments
  std::vector<int64_t> first_block;
};

std::vector<Tree> trees_of(const std::vector<Segment>& segments) {
  std::vector<Tree> trees;
  int64_t blocks = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].parent < 0) {
      trees.push_back({i, i, {}});
      blocks = 0;
    }
    trees.back().last = i + 1;
    trees.back().first_block.push_back(blocks);
    blocks += rounded_up(segments[i].size(), kBlock) / kBlock;
  }
  return trees;
}

// Calls visit(block of the tree, its keys, whether the mask cuts it) for what the rows of one block of a
// segment see.
template <class Visit>
void for_each_key_block(const std::vector<Segment>& segments, const Tree& tree, size_t index,
                        int64_t query_block, const Visit& visit) {
  for (auto i = static_cast<int64_t>(index); i >= 0; i = segments[static_cast<size_t>(i)].parent) {
    const Segment& segment = segments[static_cast<size_t>(i)];
    const bool own = static_cast<size_t>(i) == index;
    const int64_t first = tree.first_block[static_cast<size_t>(i) - tree.first];
    const int64_t count = own ? query_block + 1 : rounded_up(segment.size(), kBlock) / kBlock;
    for (int64_t b = 0; b < count; ++b)
      visit(first + b, std::min(kBlock, segment.size() - b * kBlock), own && b == query_block);
  }
}

// Calls task(tree, kv_head, worker) for all; whoever is free takes the next, the largest trees first.
template <class Task>
void for_each_tree(const std::vector<Segment>& segments, int64_t kv_heads, const Task& task) {
  std::vector<Tree> trees = trees_of(segments);
  const auto rows = [&](const Tree& t) { return segments[t.last - 1].end - segments[t.first].begin; };
  std::stable_sort(trees.begin(), trees.end(),
                   [&](const Tree& a, const Tree& b) { return rows(a) > rows(b); });
  const int64_t count = static_cast<int64_t>(trees.size()) * kv_heads;
  std::atomic<int64_t> next{0};
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) {
    for (int64_t item = next++; item < count; item = next++)
      task(trees[static_cast<size_t>(item / kv_heads)], item % kv_heads);
  });
}

template <class T>
struct Work {
  const AttentionShape& shape;
  const std::vector<Segment>& segments;
  int64_t width() const { return rounded_up(shape.head_size, kPair<T>); }
  int64_t group() const { return shape.heads / shape.kv_heads; }

  void pack_tree(const Tree& tree, const T* x, int64_t stride, int64_t kv_head, PackedRows<T>& packed) const {
    for (size_t i = tree.first; i < tree.last; ++i)
      for (int64_t row = segments[i].begin; row < segments[i].end; row += kBlock)
        packed.add(x + row * stride + kv_head * shape.head_size, stride,
                   std::min(kBlock, segments[i].end - row), shape.head_size);
  }

  // Calls visit(segment, block of it, its first row, its rows, head) for all query blocks of a key head.
  template <class Visit>
  void for_each_query_block(const Tree& tree, int64_t kv_head, const Visit& visit) const {
    for (size_t i = tree.first; i < tree.last; ++i)
      for (int64_t head = kv_head * group(); head < (kv_head + 1) * group(); ++head)
        for (int64_t row = segments[i].begin; row < segments[i].end; row += kBlock)
          visit(i, (row - segments[i].begin) / kBlock, row, std::min(kBlock, segments[i].end - row), head);
  }
};

template <class T>
struct ForwardWork : Work<T> {
  const T *q, *k, *v;
  T* out;
  float* lse;

  void tree(const Tree& tree, int64_t kv_head) const {
    using Rows = PackedRows<T>;
    const AttentionShape& s = this->shape;
    const int64_t width = this->width();
    Rows keys(width, Rows::kByColumns), values(width, Rows::kByRows), queries(width, Rows::kRows);
    this->pack_tree(tree, k, s.k_stride, kv_head, keys);
    this->pack_tree(tree, v, s.v_stride, kv_head, values);
    std::vector<float> scores(kBlock * kBlock), sums(static_cast<size_t>(kBlock * width)), highest(kBlock),
        sum(kBlock);
    std::vector<T> weights(kBlock * kBlock);
    this->for_each_query_block(
        tree, kv_head, [&](size_t index, int64_t block, int64_t row, int64_t rows, int64_t head) {
          const int64_t m = product_rows(rows);
          queries.clear();
          queries.add(q + row * s.q_stride + head * s.head_size, s.q_stride, rows, s.head_size);
          bool first = true;
          for_each_key_block(this->segments, tree, index, block,
                             [&](int64_t key_block, int64_t count, bool diagonal) {
                               block_product({m, kBlock, width, width, kBlock, kBlock}, queries.rows(0),
                                             keys.by_columns(key_block), scores.data(), false);
                               kernels<T>().softmax_block({scores.data(), bits(weights.data()), sums.data(),
                                                           highest.data(), sum.data(), m, count, width,
                                                           diagonal, first, static_cast<float>(s.scale)});
                               block_product({m, width, kBlock, kBlock, width, width}, weights.data(),
                                             values.by_rows(key_block), sums.data(), !first);
                               first = false;
                             });
          for (int64_t r = 0; r < rows; ++r) {
            T* to = out + (row + r) * s.out_stride + head * s.head_size;
            const float inverse = 1 / sum[static_cast<size_t>(r)];
            for (int64_t c = 0; c < s.head_size; ++c)
              store_float(to + c, sums[static_cast<size_t>(r * width + c)] * inverse);
            lse[(row + r) * s.heads + head] =
                highest[static_cast<size_t>(r)] + std::log(sum[static_cast<size_t>(r)]);
          }
        });
  }
};

template <class T>
struct BackwardWork : Work<T> {
  const T *q, *k, *v, *out, *grad;
  const float* lse;
  T *dq, *dk, *dv;

  // out · grad of each row, and the log-sum-exp, so large behind the last row that its probabilities are
  // zero.
  void row_sums(int64_t row, int64_t rows, int64_t head, float* along, float* row_lse) const {
    const AttentionShape& s = this->shape;
    for (int64_t r = 0; r < kBlock; ++r) {
      const int64_t at = (row + r) * s.out_stride + head * s.head_size;
      along[r] = 0;
      row_lse[r] = r < rows ? lse[(row + r) * s.heads + head] : kNoRow;
      for (int64_t c = 0; r < rows && c < s.head_size; ++c)
        along[r] += load_float(out + at + c) * load_float(grad + at + c);
    }
  }

  void write(const std::vector<float>& sums, int64_t first, int64_t rows, int64_t width, T* to,
             int64_t stride) const {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < this->shape.head_size; ++c)
        store_float(to + r * stride + c, sums[static_cast<size_t>((first + r) * width + c)]);
  }

  void tree(const Tree& tree, int64_t kv_head) const {
    using Rows = PackedRows<T>;
    const AttentionShape& s = this->shape;
    const int64_t width = this->width();
    Rows keys(width, Rows::kRows | Rows::kByRows), values(width, Rows::kRows);
    Rows queries(width, Rows::kByRows | Rows::kByColumns), grads(width, Rows::kByRows | Rows::kByColumns);
    this->pack_tree(tree, k, s.k_stride, kv_head, keys);
    this->pack_tree(tree, v, s.v_stride, kv_head, values);
    const auto total = static_cast<size_t>(keys.blocks() * kBlock * width);
    std::vector<float> dkeys(total), dvalues(total), dqueries(static_cast<size_t>(kBlock * width));
    std::vector<float> scores(kBlock * kBlock), dweights(kBlock * kBlock), along(kBlock), row_lse(kBlock);
    std::vector<T> weights(kBlock * kBlock), dscores(kBlock * kBlock), dscores_by_query(kBlock * kBlock);
    this->for_each_query_block(
        tree, kv_head, [&](size_t index, int64_t block, int64_t row, int64_t rows, int64_t head) {
          queries.clear(), grads.clear();
          queries.add(q + row * s.q_stride + head * s.head_size, s.q_stride, rows, s.head_size);
          grads.add(grad + row * s.out_stride + head * s.head_size, s.out_stride, rows, s.head_size);
          row_sums(row, rows, head, along.data(), row_lse.data());
          std::fill(dqueries.begin(), dqueries.end(), 0.0F);
          for_each_key_block(
              this->segments, tree, index, block, [&](int64_t key_block, int64_t count, bool diagonal) {
                const int64_t m = product_rows(count), at = key_block * kBlock * width;
                const ProductShape inner{m, kBlock, width, width, kBlock, kBlock},
                    outer{m, width, kBlock, kBlock, width, width};
                block_product(inner, keys.rows(key_block), queries.by_columns(0), scores.data(), false);
                block_product(inner, values.rows(key_block), grads.by_columns(0), dweights.data(), false);
                if (m < kBlock) std::fill(dscores.begin() + m * kBlock, dscores.end(), T(0));
                kernels<T>().gradient_block({scores.data(), dweights.data(), bits(weights.data()),
                                             bits(dscores.data()), row_lse.data(), along.data(), m, count,
                                             diagonal, static_cast<float>(s.scale)});
                block_product(outer, weights.data(), grads.by_rows(0), dvalues.data() + at, true);
                block_product(outer, dscores.data(), queries.by_rows(0), dkeys.data() + at, true);
                transpose_block(dscores.data(), dscores_by_query.data());
                block_product({product_rows(rows), width, kBlock, kBlock, width, width},
                              dscores_by_query.data(), keys.by_rows(key_block), dqueries.data(), true);
              });
          write(dqueries, 0, rows, width, dq + row * s.q_stride + head * s.head_size, s.q_stride);
        });
    for (size_t i = tree.first; i < tree.last; ++i) {
      const Segment& segment = this->segments[i];
      const int64_t first = tree.first_block[i - tree.first] * kBlock;
      write(dkeys, first, segment.size(), width, dk + segment.begin * s.k_stride + kv_head * s.head_size,
            s.k_stride);
      write(dvalues, first, segment.size(), width, dv + segment.begin * s.v_stride + kv_head * s.head_size,
            s.v_stride);
    }
  }
};

}  // namespace

template <class T>
void forest_attention_forward_blocks(const AttentionShape& shape, const std::vector<Segment>& segments,
                                     const T* q, const T* k, const T* v, T* out, float* lse) {
  const ForwardWork<T> work{{shape, segments}, q, k, v, out, lse};
  for_each_tree(segments, shape.kv_heads,
                [&](const Tree& tree, int64_t kv_head) { work.tree(tree, kv_head); });
}

template <class T>
void forest_attention_backward_blocks(const AttentionShape& shape, const std::vector<Segment>& segments,
                                      const T* q, const T* k, const T* v, const T* out, const float* lse,
                                      const T* grad, T* dq, T* dk, T* dv) {
  const BackwardWork<T> work{{shape, segments}, q, k, v, out, grad, lse, dq, dk, dv};
  for_each_tree(segments, shape.kv_heads,
                [&](const Tree& tree, int64_t kv_head) { work.tree(tree, kv_head); });
}

using c10::BFloat16;
template void forest_attention_forward_blocks(const AttentionShape&, const std::vector<Segment>&,
                                              const float*, const float*, const float*, float*, float*);
template void forest_attention_forward_blocks(const AttentionShape&, const std::vector<Segment>&,
                                              const BFloat16*, const BFloat16*, const BFloat16*, BFloat16*,
                                              float*);
template void forest_attention_backward_blocks(const AttentionShape&, const std::vector<Segment>&,
                                               const float*, const float*, const float*, const float*,
                                               const float*, const float*, float*, float*, float*);
template void forest_attention_backward_blocks(const AttentionShape&, const std::vector<Segment>&,
                                               const BFloat16*, const BFloat16*, const BFloat16*,
                                               const BFloat16*, const float*, const BFloat16*, BFloat16*,
                                               BFloat16*, BFloat16*);

}  // namespace keel
