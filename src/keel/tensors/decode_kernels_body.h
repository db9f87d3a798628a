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

// scores = query · key of kPages pages from `first` on, one chain over the words of each key; kNever behind
// the last key. Returns the highest of each lane.
template <int kPages, class T>
KEEL_KERNEL Vector score_block(const PagedAttention<T>& p, int64_t first, int64_t keys) {
  using Word = typename WordOf<T>::Word;
  constexpr int kParts = kPagePositions / kLanes;
  const Word* from[kPages];
  for (int i = 0; i < kPages; ++i) {
    from[i] = reinterpret_cast<const Word*>(p.keys + p.pages[first + i] * p.page_stride);
    // The cache is read once a step, from memory: this block's values are asked for early.
    fetch_page(p, p.values, first + i);
  }
  Vector sums[kPages][kParts] = {};
  for (int64_t k = 0; k < p.head / kWord<T>; ++k) {
    const Word word = word_at(p.query + k * kWord<T>);
#pragma GCC unroll 8
    for (int i = 0; i < kPages; ++i)
#pragma GCC unroll 8
      for (int part = 0; part < kParts; ++part)
        sums[i][part] = add_product(sums[i][part], word, load(from[i] + k * kPagePositions + part * kLanes));
  }
  Vector peaks = all(kNever);
  for (int i = 0; i < kPages; ++i)
    for (int part = 0; part < kParts; ++part) {
      const int64_t slot = i * kPagePositions + part * kLanes;
      const Vector sum = cut(sums[i][part], slot, keys, kNever);
      store(p.scores + first * kPagePositions + slot, sum);
      peaks = larger(peaks, sum);
    }
  return peaks;
}

// All scores; returns the highest.
template <class T>
KEEL_KERNEL float score_pages(const PagedAttention<T>& p) {
  Vector peaks = all(kNever);
  for_each_block(p, [&](int64_t first, int64_t keys) KEEL_INLINED {
    static_assert(kPagesOfBlock == 4);
    const int64_t pages = pages_of(keys);
    const Vector found = pages == 4   ? score_block<4>(p, first, keys)
                         : pages == 3 ? score_block<3>(p, first, keys)
                         : pages == 2 ? score_block<2>(p, first, keys)
                                      : score_block<1>(p, first, keys);
    peaks = larger(peaks, found);
  });
  return highest_of(peaks);
}

// Scores to weights; returns their sum.
template <class T>
KEEL_KERNEL float weigh(const PagedAttention<T>& p) {
  const float scale = p.scale * kLog2e, highest = to_integer(score_pages(p) * scale);
  float total = 0;
  for_each_block(p, [&](int64_t first, int64_t keys) KEEL_INLINED {
    const int64_t begin = first * kPagePositions;
    Vector sums = {};
    for (int64_t i = 0; i < pages_of(keys) * kPagePositions; i += kLanes) {
      const Vector weight = cut(softmax_weight(load(p.scores + begin + i), scale, highest), i, keys, 0.0F);
      sums += weight;
      store(p.weights + begin + i, weight);
    }
    total = sum_of(sums) + total;
  });
  return total;
}

// out of one strip of a head: weights · values, divided by the weights' sum.
template <int kCount, class T>
KEEL_KERNEL void value_strip(const PagedAttention<T>& p, int64_t column, float inverse, T* out) {
  using Word = typename WordOf<T>::Word;
  constexpr int64_t kWordsOfPage = kPagePositions / kWord<T>;
  Vector totals[kCount] = {};
  for_each_block(p, [&](int64_t first, int64_t keys) KEEL_INLINED {
    Vector sums[kCount] = {};
    for (int64_t page = first; page < first + pages_of(keys); ++page) {
      const auto* values = reinterpret_cast<const Word*>(p.values + p.pages[page] * p.page_stride);
#pragma GCC unroll 16
      for (int64_t k = 0; k < kWordsOfPage; ++k) {
        const Word weight = word_at(p.weights + page * kPagePositions + k * kWord<T>);
#pragma GCC unroll 8
        for (int v = 0; v < kCount; ++v)
          sums[v] = add_product(sums[v], weight, load(values + k * p.head + column + v * kLanes));
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < kCount; ++v) totals[v] = sums[v] + totals[v];
  });
  for (int v = 0; v < kCount; ++v) store(out + column + v * kLanes, totals[v] * inverse);
}

template <class T>
void attend(const PagedAttention<T>& p) {
  for (int64_t head = 0; head < p.group; ++head) {
    for (int64_t c = 0; c < p.head; ++c) put(p.query + c, p.q[head * p.head + c]);
    const float inverse = 1.0F / weigh(p);
    T* out = p.out + head * p.out_stride;
    int64_t column = 0;
    for (; column + 4 * kLanes <= p.head; column += 4 * kLanes) value_strip<4>(p, column, inverse, out);
    for (; column < p.head; column += kLanes) value_strip<1>(p, column, inverse, out);
  }
}

// The draw walks over the blocks' sums, then within one block.
Draw draw(const DrawRow& d) {
  const SoftmaxSum sum = softmax_sum(d.logits, d.count, d.inverse_temperature, d.sums);
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
const DecodeKernels decode_kernels = {KEEL_LEVEL_NAME,
                                      kPanelKernels<float>,
                                      kPanelKernels<uint16_t>,
                                      attend<float>,
                                      attend<uint16_t>,
                                      norm_row<float>,
                                      norm_row<uint16_t>,
                                      activate_row<float, float>,
                                      activate_row<uint16_t, float>,
                                      rotate_row<float>,
                                      draw};

}  // namespace keel::KEEL_LEVEL
