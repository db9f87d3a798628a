// The kernels of decode_kernels.h as text: see vectors.h.

namespace keel::KEEL_LEVEL {
namespace {

template <class T>
KEEL_KERNEL void fetch_page(const PagedAttention<T>& p, const T* cache, int64_t page) {
  const auto* from = reinterpret_cast<const char*>(cache + p.pages[page] * p.page_stride);
  const int64_t bytes = kPagePositions * p.head * static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(from + i);
}

constexpr int64_t pages_of(int64_t positions) {
  return (positions + kPagePositions - 1) / kPagePositions;
}
constexpr int kPagesOfBlock = kAttentionBlock / kPagePositions;

// Calls visit(first page, keys) for each block of keys.
template <class T, class Visit>
KEEL_KERNEL void for_each_block(const PagedAttention<T>& p, const Visit& visit) {
  const int64_t parts[2] = {p.prefix, p.own};
  int64_t page = 0;
  for (const int64_t part : parts) {
    for (int64_t done = 0; done < part; done += kAttentionBlock)
      visit(page + done / kPagePositions, part - done < kAttentionBlock ? part - done : kAttentionBlock);
    page += pages_of(part);
  }
}

// Heads whose sums are held in registers at once: what is read of the cache serves all of them.
constexpr int kHeadsAtOnce = kLanes == 16 ? 2 : 1;

// scores = query · key of kPages pages from `first` on, one chain over the words of each key; kNever behind
// the last key. Raises the peaks.
template <int kHeads, int kPages, class T>
KEEL_KERNEL void score_block(const PagedAttention<T>& p, int64_t head, int64_t first, int64_t keys,
                             Vector (&peaks)[kHeads]) {
  using Word = typename WordOf<T>::Word;
  constexpr int kParts = kPagePositions / kLanes;
  const Word* from[kPages];
  for (int i = 0; i < kPages; ++i) {
    from[i] = reinterpret_cast<const Word*>(p.keys + p.pages[first + i] * p.page_stride);
    // The cache is read once a step, from memory: this block's values are asked for early.
    fetch_page(p, p.values, first + i);
  }
  Vector sums[kHeads][kPages][kParts] = {};
  for (int64_t k = 0; k < p.head / kWord<T>; ++k) {
    Word words[kHeads];
    for (int h = 0; h < kHeads; ++h) words[h] = word_at(p.q + (head + h) * p.head + k * kWord<T>);
#pragma GCC unroll 8
    for (int i = 0; i < kPages; ++i)
#pragma GCC unroll 8
      for (int part = 0; part < kParts; ++part) {
        const auto column = load(from[i] + k * kPagePositions + part * kLanes);
        for (int h = 0; h < kHeads; ++h) sums[h][i][part] = add_product(sums[h][i][part], words[h], column);
      }
  }
  for (int h = 0; h < kHeads; ++h)
    for (int i = 0; i < kPages; ++i)
      for (int part = 0; part < kParts; ++part) {
        const int64_t slot = i * kPagePositions + part * kLanes;
        const Vector sum = cut(sums[h][i][part], slot, keys, kNever);
        store(p.scores + (head + h) * p.slots + first * kPagePositions + slot, sum);
        peaks[h] = larger(peaks[h], sum);
      }
}

// Scores of one head to weights; returns one divided by their sum.
template <class T>
KEEL_KERNEL float weigh(const PagedAttention<T>& p, int64_t head, Vector peaks) {
  const float scale = p.scale * kLog2e, highest = to_integer(highest_of(peaks) * scale);
  const float* scores = p.scores + head * p.slots;
  T* weights = p.weights + head * p.slots;
  float total = 0;
  for_each_block(p, [&](int64_t first, int64_t keys) KEEL_INLINED {
    const int64_t begin = first * kPagePositions;
    Vector sums = {};
    for (int64_t i = 0; i < pages_of(keys) * kPagePositions; i += kLanes) {
      const Vector weight = cut(softmax_weight(load(scores + begin + i), scale, highest), i, keys, 0.0F);
      sums += weight;
      store(weights + begin + i, weight);
    }
    total = sum_of(sums) + total;
  });
  return 1.0F / total;
}

// out of one strip of some heads: weights · values, divided by the weights' sums.
template <int kHeads, int kCount, class T>
KEEL_KERNEL void value_strip(const PagedAttention<T>& p, int64_t head, int64_t column,
                             const float (&inverse)[kHeads]) {
  using Word = typename WordOf<T>::Word;
  constexpr int64_t kWordsOfPage = kPagePositions / kWord<T>;
  Vector totals[kHeads][kCount] = {};
  for_each_block(p, [&](int64_t first, int64_t keys) KEEL_INLINED {
    Vector sums[kHeads][kCount] = {};
    for (int64_t page = first; page < first + pages_of(keys); ++page) {
      const auto* values = reinterpret_cast<const Word*>(p.values + p.pages[page] * p.page_stride);
      const T* weights = p.weights + head * p.slots + page * kPagePositions;
#pragma GCC unroll 16
      for (int64_t k = 0; k < kWordsOfPage; ++k) {
        Word words[kHeads];
        for (int h = 0; h < kHeads; ++h) words[h] = word_at(weights + h * p.slots + k * kWord<T>);
#pragma GCC unroll 8
        for (int v = 0; v < kCount; ++v) {
          const auto row = load(values + k * p.head + column + v * kLanes);
          for (int h = 0; h < kHeads; ++h) sums[h][v] = add_product(sums[h][v], words[h], row);
        }
      }
    }
    for (int h = 0; h < kHeads; ++h)
#pragma GCC unroll 8
      for (int v = 0; v < kCount; ++v) totals[h][v] = sums[h][v] + totals[h][v];
  });
  for (int h = 0; h < kHeads; ++h)
    for (int v = 0; v < kCount; ++v)
      store(p.out + (head + h) * p.out_stride + column + v * kLanes, totals[h][v] * inverse[h]);
}

template <int kHeads, class T>
KEEL_KERNEL void attend_heads(const PagedAttention<T>& p, int64_t head) {
  static_assert(kPagesOfBlock == 4);
  Vector peaks[kHeads];
  for (int h = 0; h < kHeads; ++h) peaks[h] = all(kNever);
  for_each_block(p, [&](int64_t first, int64_t keys) KEEL_INLINED {
    switch (pages_of(keys)) {
      case 1:
        return score_block<kHeads, 1>(p, head, first, keys, peaks);
      case 2:
        return score_block<kHeads, 2>(p, head, first, keys, peaks);
      case 3:
        return score_block<kHeads, 3>(p, head, first, keys, peaks);
      default:
        return score_block<kHeads, 4>(p, head, first, keys, peaks);
    }
  });
  float inverse[kHeads];
  for (int h = 0; h < kHeads; ++h) inverse[h] = weigh(p, head + h, peaks[h]);
  int64_t column = 0;
  for (; column + 4 * kLanes <= p.head; column += 4 * kLanes)
    value_strip<kHeads, 4>(p, head, column, inverse);
  for (; column < p.head; column += kLanes) value_strip<kHeads, 1>(p, head, column, inverse);
}

template <class T>
void attend(const PagedAttention<T>& p) {
  int64_t head = 0;
  for (; head + kHeadsAtOnce <= p.group; head += kHeadsAtOnce) attend_heads<kHeadsAtOnce>(p, head);
  for (; head < p.group; ++head) attend_heads<1>(p, head);
}

// The draw walks over the blocks' sums, then within one block.
Draw draw(const DrawRow& d) {
  const SoftmaxSum sum = softmax_sum<false>(d.logits, d.count, d.inverse_temperature, d.sums);
  const auto weight = [&](int64_t i) KEEL_INLINED {
    return exponential(all((d.logits[i] - sum.highest) * d.inverse_temperature))[0];
  };
  const int64_t blocks = (d.count + kDrawBlock - 1) / kDrawBlock;
  int64_t token = d.count - 1;
  if (d.given >= 0) {
    token = d.given;
  } else if (d.greedy) {
    for (token = 0; token < d.count - 1 && d.logits[token] != sum.highest; ++token) {
    }
  } else {
    double left = d.u * sum.total;
    int64_t block = 0;
    while (block < blocks - 1 && left > static_cast<double>(d.sums[block]))
      left -= static_cast<double>(d.sums[block++]);
    const int64_t end = d.count - block * kDrawBlock < kDrawBlock ? d.count : (block + 1) * kDrawBlock;
    token = end - 1;
    for (int64_t i = block * kDrawBlock; i < end; ++i) {
      left -= static_cast<double>(weight(i));
      if (left <= 0) {
        token = i;
        break;
      }
    }
  }
  return {token, logp_of(d.logits[token], sum, d.inverse_temperature)};
}

}  // namespace

extern const DecodeKernels decode_kernels;
const DecodeKernels decode_kernels = {
    KEEL_LEVEL_NAME,    kPanelKernels<float>,       kPanelKernels<uint16_t>,
    attend<float>,      attend<uint16_t>,           norm_row<float>,
    norm_row<uint16_t>, activate_row<float, float>, activate_row<uint16_t, float>,
    rotate_row<float>,  rotate_row<uint16_t>,       draw};

}  // namespace keel::KEEL_LEVEL
