#include "keel/tensors/forest_attention_blocks.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "keel/tensors/block_product.h"
#include "keel/tensors/raw_bits.h"

namespace keel {
namespace {

constexpr int64_t kBlock = kAttentionBlock;
constexpr float kLn2 = 0.69314718F;

int64_t rounded_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Few shapes of products: each is compiled when it is first met.
int64_t product_rows(int64_t rows) {
  return rounded_up(rows, 16);
}

// One head of a range of tokens, block by block, in the forms that products want.
template <class T>
class PackedRows {
 public:
  enum Form : unsigned { kRows = 1, kByRows = 2, kByColumns = 4, kTransposed = 8 };

  PackedRows(int64_t width, unsigned forms) : width_(width), size_(kBlock * width), forms_(forms) {}

  int64_t blocks() const { return count_; }
  void clear() { count_ = 0; }
  /// `rows` at most kBlock, of `columns` elements each.
  void add(const T* x, int64_t stride, int64_t rows, int64_t columns) {
    const auto end = static_cast<size_t>(++count_ * size_);
    const auto place = [&](std::vector<T>& form, unsigned wanted) -> Raw<T>* {
      if ((forms_ & wanted) == 0) return nullptr;
      if (form.size() < end) form.resize(end);
      return bits(form.data() + end - size_);
    };
    kernels<T>().pack_block({bits(x), stride, rows, columns, width_, place(rows_, ~0U),
                             place(by_rows_, kByRows), place(by_columns_, kByColumns),
                             place(transposed_, kTransposed)});
  }
  const T* rows(int64_t block) const { return rows_.data() + block * size_; }
  // A float is a pair of itself.
  const T* by_rows(int64_t block) const { return (kPair<T> == 1 ? rows_ : by_rows_).data() + block * size_; }
  const T* by_columns(int64_t block) const { return by_columns_.data() + block * size_; }
  const T* transposed(int64_t block) const { return transposed_.data() + block * size_; }

 private:
  int64_t width_, size_, count_ = 0;
  unsigned forms_;
  std::vector<T> rows_, by_rows_, by_columns_, transposed_;
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
// segment see, from the root on: the order in which generation sums (decode_kernels).
template <class Visit>
void for_each_key_block(const std::vector<Segment>& segments, const Tree& tree, size_t index,
                        int64_t query_block, const Visit& visit) {
  const Segment& segment = segments[index];
  const auto visit_all = [&](const auto& self, int64_t ancestor) -> void {
    if (ancestor < 0) return;
    const Segment& keys = segments[static_cast<size_t>(ancestor)];
    self(self, keys.parent);
    const int64_t first = tree.first_block[static_cast<size_t>(ancestor) - tree.first];
    for (int64_t b = 0; b * kBlock < keys.size(); ++b)
      visit(first + b, std::min(kBlock, keys.size() - b * kBlock), false);
  };
  visit_all(visit_all, segment.parent);
  const int64_t first = tree.first_block[index - tree.first];
  for (int64_t b = 0; b <= query_block; ++b)
    visit(first + b, std::min(kBlock, segment.size() - b * kBlock), b == query_block);
}

// Calls task(tree, kv_head, buffers of the thread) for all; whoever is free takes the next, the largest trees
// first.
template <class Buffers, class Task>
void for_each_tree(const std::vector<Segment>& segments, int64_t kv_heads, int64_t width, const Task& task) {
  std::vector<Tree> trees = trees_of(segments);
  const auto rows = [&](const Tree& t) { return segments[t.last - 1].end - segments[t.first].begin; };
  std::stable_sort(trees.begin(), trees.end(),
                   [&](const Tree& a, const Tree& b) { return rows(a) > rows(b); });
  const int64_t count = static_cast<int64_t>(trees.size()) * kv_heads;
  std::atomic<int64_t> next{0};
  at::parallel_for(0, std::min<int64_t>(at::get_num_threads(), count), 1, [&](int64_t, int64_t) {
    Buffers buffers(width);
    for (int64_t item = next++; item < count; item = next++)
      task(trees[static_cast<size_t>(item / kv_heads)], item % kv_heads, buffers);
  });
}

template <class T>
struct Work {
  const AttentionShape& shape;
  const std::vector<Segment>& segments;
  int64_t width() const { return rounded_up(shape.head_size, kPair<T>); }
  int64_t group() const { return shape.heads / shape.kv_heads; }

  void pack_tree(const Tree& tree, const T* x, int64_t stride, int64_t kv_head, PackedRows<T>& packed) const {
    packed.clear();
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
struct ForwardBuffers {
  using Rows = PackedRows<T>;
  explicit ForwardBuffers(int64_t width)
      : keys(width, Rows::kByColumns),
        values(width, Rows::kByRows),
        queries(width, Rows::kRows),
        scores(kBlock * kBlock),
        sums(static_cast<size_t>(kBlock * width)),
        highest(kBlock),
        sum(kBlock),
        weights(kBlock * kBlock) {}
  Rows keys, values, queries;
  std::vector<float> scores, sums, highest, sum;
  std::vector<T> weights;
};

template <class T>
struct ForwardWork : Work<T> {
  const T *q, *k, *v;
  T* out;
  float* lse;

  void tree(const Tree& tree, int64_t kv_head, ForwardBuffers<T>& b) const {
    this->pack_tree(tree, k, this->shape.k_stride, kv_head, b.keys);
    this->pack_tree(tree, v, this->shape.v_stride, kv_head, b.values);
    this->for_each_query_block(tree, kv_head,
                               [&](size_t index, int64_t block, int64_t row, int64_t rows, int64_t head) {
                                 attend(tree, index, block, row, rows, head, b);
                                 write(row, rows, head, b);
                               });
  }

  // The rows of one query block against all keys that they see.
  void attend(const Tree& tree, size_t index, int64_t block, int64_t row, int64_t rows, int64_t head,
              ForwardBuffers<T>& b) const {
    const AttentionShape& s = this->shape;
    const int64_t width = this->width(), m = product_rows(rows);
    b.queries.clear();
    b.queries.add(q + row * s.q_stride + head * s.head_size, s.q_stride, rows, s.head_size);
    bool first = true;
    for_each_key_block(this->segments, tree, index, block,
                       [&](int64_t key_block, int64_t count, bool diagonal) {
                         block_product({m, kBlock, width, width, kBlock, kBlock}, b.queries.rows(0),
                                       b.keys.by_columns(key_block), b.scores.data(), false);
                         kernels<T>().softmax_block({b.scores.data(), bits(b.weights.data()), b.sums.data(),
                                                     b.highest.data(), b.sum.data(), m, count, width,
                                                     diagonal, first, static_cast<float>(s.scale)});
                         block_product({m, width, kBlock, kBlock, width, width}, b.weights.data(),
                                       b.values.by_rows(key_block), b.sums.data(), !first);
                         first = false;
                       });
  }

  void write(int64_t row, int64_t rows, int64_t head, const ForwardBuffers<T>& b) const {
    const AttentionShape& s = this->shape;
    for (int64_t r = 0; r < rows; ++r) {
      const float sum = b.sum[static_cast<size_t>(r)];
      kernels<T>().scale({b.sums.data() + r * this->width(), 1 / sum,
                          bits(out + (row + r) * s.out_stride + head * s.head_size), s.head_size});
      lse[(row + r) * s.heads + head] = b.highest[static_cast<size_t>(r)] * kLn2 + std::log(sum);
    }
  }
};

template <class T>
struct BackwardBuffers {
  using Rows = PackedRows<T>;
  static constexpr unsigned kRight = Rows::kByRows | Rows::kByColumns;
  explicit BackwardBuffers(int64_t width)
      : keys(width, Rows::kRows | Rows::kTransposed),
        values(width, Rows::kRows),
        queries(width, kRight),
        grads(width, kRight),
        dqueries(static_cast<size_t>(width * kBlock)),
        row(static_cast<size_t>(width)),
        scores(kBlock * kBlock),
        dweights(kBlock * kBlock),
        along(kBlock),
        row_lse(kBlock),
        weights(kBlock * kBlock),
        dscores(kBlock * kBlock),
        dscores_packed(kBlock * kBlock) {}
  Rows keys, values, queries, grads;
  std::vector<float> dqueries;  // transposed: (width, kBlock)
  std::vector<float> row;
  std::vector<float> dkeys, dvalues;  // of the tree
  std::vector<float> scores, dweights, along, row_lse;
  std::vector<T> weights, dscores, dscores_packed;

  // dS as the right side of a product over keys. A float is a pair of itself.
  const T* packed() const { return (kPair<T> == 1 ? dscores : dscores_packed).data(); }
};

template <class T>
struct BackwardWork : Work<T> {
  const T *q, *k, *v, *out, *grad;
  const float* lse;
  T *dq, *dk, *dv;

  void tree(const Tree& tree, int64_t kv_head, BackwardBuffers<T>& b) const {
    const AttentionShape& s = this->shape;
    this->pack_tree(tree, k, s.k_stride, kv_head, b.keys);
    this->pack_tree(tree, v, s.v_stride, kv_head, b.values);
    const auto total = static_cast<size_t>(b.keys.blocks() * kBlock * this->width());
    b.dkeys.assign(total, 0.0F), b.dvalues.assign(total, 0.0F);
    this->for_each_query_block(tree, kv_head,
                               [&](size_t index, int64_t block, int64_t row, int64_t rows, int64_t head) {
                                 query_block(tree, index, block, row, rows, head, b);
                               });
    for (size_t i = tree.first; i < tree.last; ++i) {
      const Segment& segment = this->segments[i];
      const int64_t first = tree.first_block[i - tree.first] * kBlock * this->width();
      const int64_t head = kv_head * s.head_size;
      write(b.dkeys.data() + first, segment.size(), dk + segment.begin * s.k_stride + head, s.k_stride);
      write(b.dvalues.data() + first, segment.size(), dv + segment.begin * s.v_stride + head, s.v_stride);
    }
  }

  void query_block(const Tree& tree, size_t index, int64_t block, int64_t row, int64_t rows, int64_t head,
                   BackwardBuffers<T>& b) const {
    const AttentionShape& s = this->shape;
    b.queries.clear(), b.grads.clear();
    b.queries.add(q + row * s.q_stride + head * s.head_size, s.q_stride, rows, s.head_size);
    b.grads.add(grad + row * s.out_stride + head * s.head_size, s.out_stride, rows, s.head_size);
    row_sums(row, rows, head, b);
    bool first = true;
    for_each_key_block(this->segments, tree, index, block,
                       [&](int64_t key_block, int64_t count, bool diagonal) {
                         gradients(key_block, count, diagonal, first, b);
                         first = false;
                       });
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < s.head_size; ++c)
        b.row[static_cast<size_t>(c)] = b.dqueries[static_cast<size_t>(c * kBlock + r)];
      write(b.row.data(), 1, dq + (row + r) * s.q_stride + head * s.head_size, s.q_stride);
    }
  }

  // One block of keys against one of queries. Scores stand transposed, a row a key, so that no product needs
  // another form of them than the two that the gradient kernel writes.
  void gradients(int64_t key_block, int64_t count, bool diagonal, bool first, BackwardBuffers<T>& b) const {
    const int64_t width = this->width(), m = product_rows(count), at = key_block * kBlock * width;
    const ProductShape inner{m, kBlock, width, width, kBlock, kBlock},
        outer{m, width, kBlock, kBlock, width, width};
    block_product(inner, b.keys.rows(key_block), b.queries.by_columns(0), b.scores.data(), false);
    block_product(inner, b.values.rows(key_block), b.grads.by_columns(0), b.dweights.data(), false);
    for (std::vector<T>* form : {&b.dscores, &b.dscores_packed})
      std::fill(form->begin() + m * kBlock, form->end(), T(0));
    kernels<T>().gradient_block({b.scores.data(), b.dweights.data(), bits(b.weights.data()),
                                 bits(b.dscores.data()), bits(b.dscores_packed.data()), b.row_lse.data(),
                                 b.along.data(), m, count, diagonal, static_cast<float>(this->shape.scale)});
    block_product(outer, b.weights.data(), b.grads.by_rows(0), b.dvalues.data() + at, true);
    block_product(outer, b.dscores.data(), b.queries.by_rows(0), b.dkeys.data() + at, true);
    block_product({width, kBlock, kBlock, kBlock, kBlock, kBlock}, b.keys.transposed(key_block), b.packed(),
                  b.dqueries.data(), !first);
  }

  // out · grad of each row, and the log-sum-exp.
  void row_sums(int64_t row, int64_t rows, int64_t head, BackwardBuffers<T>& b) const {
    const AttentionShape& s = this->shape;
    for (int64_t r = 0; r < kBlock; ++r) {
      const int64_t at = (row + r) * s.out_stride + head * s.head_size;
      const bool there = r < rows;
      b.along[static_cast<size_t>(r)] =
          there ? kernels<T>().dot(bits(out + at), bits(grad + at), s.head_size) : 0.0F;
      b.row_lse[static_cast<size_t>(r)] = there ? lse[(row + r) * s.heads + head] : kNoRow;
    }
  }

  void write(const float* sums, int64_t rows, T* to, int64_t stride) const {
    for (int64_t r = 0; r < rows; ++r)
      kernels<T>().scale({sums + r * this->width(), 1.0F, bits(to + r * stride), this->shape.head_size});
  }
};

}  // namespace

template <class T>
void forest_attention_forward_blocks(const AttentionShape& shape, const std::vector<Segment>& segments,
                                     const T* q, const T* k, const T* v, T* out, float* lse) {
  const ForwardWork<T> work{{shape, segments}, q, k, v, out, lse};
  for_each_tree<ForwardBuffers<T>>(segments, shape.kv_heads, work.width(),
                                   [&](const Tree& tree, int64_t kv_head, ForwardBuffers<T>& buffers) {
                                     work.tree(tree, kv_head, buffers);
                                   });
}

template <class T>
void forest_attention_backward_blocks(const AttentionShape& shape, const std::vector<Segment>& segments,
                                      const T* q, const T* k, const T* v, const T* out, const float* lse,
                                      const T* grad, T* dq, T* dk, T* dv) {
  const BackwardWork<T> work{{shape, segments}, q, k, v, out, grad, lse, dq, dk, dv};
  for_each_tree<BackwardBuffers<T>>(segments, shape.kv_heads, work.width(),
                                    [&](const Tree& tree, int64_t kv_head, BackwardBuffers<T>& buffers) {
                                      work.tree(tree, kv_head, buffers);
                                    });
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
