// The kernels of decode_kernels.h as text: see vectors.h.

namespace keel::KEEL_LEVEL {
namespace {

template <class T>
KEEL_KERNEL void fetch_page(const PagedAttention<T>& p, const T* cache, int64_t page) {
  const auto* from = reinterpret_cast<const char*>(cache + p.pages[page] * p.page_stride);
  const int64_t bytes = kPagePositions * p.head * static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(from + i);
}

// scores (padded(positions)) = query · key at every position, kNever behind the last; returns the highest.
template <class T>
KEEL_KERNEL float score_pages(const PagedAttention<T>& p) {
  using Word = typename WordOf<T>::Word;
  constexpr int kParts = kPagePositions / kLanes, kChains = 4;
  const T* query = p.query;
  const int64_t words = p.head / kWord<T>, pages = (p.positions + kPagePositions - 1) / kPagePositions;
  Vector peaks = all(kNever);
  for (int64_t page = 0; page < pages; ++page) {
    const auto* keys = reinterpret_cast<const Word*>(p.keys + p.pages[page] * p.page_stride);
    // The cache is read once a step, from memory: this page's values and the next one's keys are asked for
    // early.
    fetch_page(p, p.values, page);
    if (page + 1 < pages) fetch_page(p, p.keys, page + 1);
    for (int part = 0; part < kParts; ++part) {
      Vector sums[kChains] = {};
      for (int64_t k = 0; k < words; k += kChains)
#pragma GCC unroll 4
        for (int c = 0; c < kChains; ++c)
          sums[c] = add_product(sums[c], word_at(query + (k + c) * kWord<T>),
                                load(keys + (k + c) * kPagePositions + part * kLanes));
      const int64_t first = page * kPagePositions + part * kLanes;
      const Vector sum = cut((sums[0] + sums[1]) + (sums[2] + sums[3]), first, p.positions, kNever);
      store(p.scores + first, sum);
      peaks = larger(peaks, sum);
    }
  }
  return highest_of(peaks);
}

// out of one strip of a head: weights · values, divided by the weights' sum.
template <int kCount, int kChains, class T>
KEEL_KERNEL void value_strip(const PagedAttention<T>& p, int64_t column, float inverse, T* out) {
  using Word = typename WordOf<T>::Word;
  constexpr int64_t kWordsOfPage = kPagePositions / kWord<T>;
  const int64_t pages = (p.positions + kPagePositions - 1) / kPagePositions;
  Vector sums[kChains][kCount] = {};
  for (int64_t page = 0; page < pages; ++page) {
    const auto* values = reinterpret_cast<const Word*>(p.values + p.pages[page] * p.page_stride);
    for (int64_t k = 0; k < kWordsOfPage; k += kChains)
#pragma GCC unroll 8
      for (int chain = 0; chain < kChains; ++chain) {
        const Word weight = word_at(p.weights + page * kPagePositions + (k + chain) * kWord<T>);
        const Word* row = values + (k + chain) * p.head + column;
#pragma GCC unroll 8
        for (int v = 0; v < kCount; ++v)
          sums[chain][v] = add_product(sums[chain][v], weight, load(row + v * kLanes));
      }
  }
  for (int v = 0; v < kCount; ++v) {
#pragma GCC unroll 8
    for (int chain = 1; chain < kChains; ++chain) sums[0][v] += sums[chain][v];
    store(out + column + v * kLanes, sums[0][v] * inverse);
  }
}

template <class T>
void attend(const PagedAttention<T>& p) {
  const int64_t filled = (p.positions + kPagePositions - 1) / kPagePositions * kPagePositions;
  for (int64_t head = 0; head < p.group; ++head) {
    for (int64_t c = 0; c < p.head; ++c) put(p.query + c, p.q[head * p.head + c]);
    const float scale = p.scale * kLog2e, highest = to_integer(score_pages(p) * scale);
    Vector sums = {};
    for (int64_t i = 0; i < filled; i += kLanes) {
      const Vector weights = power_of_two(load(p.scores + i) * scale - highest);
      // power_of_two() ends at 2^-126: what is not seen must weigh nothing at all
      const Vector seen = load(p.scores + i) > 0.5F * kNever ? weights : Vector{};
      sums += seen;
      store(p.weights + i, seen);
    }
    const float inverse = 1.0F / sum_of(sums);
    T* out = p.out + head * p.out_stride;
    int64_t column = 0;
    for (; column + 4 * kLanes <= p.head; column += 4 * kLanes) value_strip<4, 2>(p, column, inverse, out);
    for (; column < p.head; column += kLanes) value_strip<1, 8>(p, column, inverse, out);
  }
}

template <class T>
void norm(const RowNorm<T>& n) {
  const auto width = static_cast<float>(n.width);
  Vector sums = {}, squares = {};
  if (n.centered) along(n.width, [&](int64_t c, auto part) KEEL_INLINED { sums += load(n.x + c, part); });
  const float mean = sum_of(sums) / width;
  along(n.width, [&](int64_t c, auto part) KEEL_INLINED {
    const Vector d = kept(load(n.x + c, part) - mean, part);
    squares += d * d;
  });
  const float inverse = 1.0F / __builtin_sqrtf(sum_of(squares) / width + n.epsilon);
  along(n.width, [&](int64_t c, auto part) KEEL_INLINED {
    Vector y = (load(n.x + c, part) - mean) * inverse * load(n.weight + c, part);
    if (n.bias != nullptr) y += load(n.bias + c, part);
    store(n.out + c, y, part);
  });
}

KEEL_KERNEL Vector activated(Gate gate, Vector x) {
  if (gate == Gate::silu) return x * (1.0F / (1.0F + exponential(-x)));  // as gated_row does it
  if (gate == Gate::relu) return x > 0.0F ? x : Vector{};
  if (gate == Gate::gelu_tanh) {  // x/2 (1 + tanh y) = x / (1 + e^-2y)
    const Vector y = 0.7978845608F * (x + 0.044715F * x * x * x);
    return x / (1.0F + exponential(-2.0F * y));
  }
  for (int i = 0; i < kLanes; ++i) x[i] = 0.5F * x[i] * (1.0F + __builtin_erff(x[i] * 0.7071067812F));
  return x;
}

// What a projection gave, as the trainer keeps it.
template <class T>
KEEL_KERNEL Vector kept_as(Vector x) {
  T halves[kLanes];
  store(halves, x);
  return load(halves);
}

// width: a multiple of kPadding.
template <class T>
void gate(const GateRow<T>& g) {
  for (int64_t c = 0; c < g.width; c += kLanes) {
    const Vector y = activated(g.gate, kept_as<T>(load(g.x + c)));
    store(g.out + c, g.up != nullptr ? y * kept_as<T>(load(g.up + c)) : y);
  }
}

// The softmax in blocks: the draw walks over the blocks' sums, then within one block.
Draw draw(const DrawRow& d) {
  const int64_t whole = d.count / kLanes * kLanes;
  Vector peaks = all(kNever);
  for (int64_t i = 0; i < whole; i += kLanes) peaks = larger(peaks, load(d.logits + i));
  float highest = highest_of(peaks);
  for (int64_t i = whole; i < d.count; ++i) highest = d.logits[i] > highest ? d.logits[i] : highest;
  const auto weight = [&](int64_t i) KEEL_INLINED {
    return exponential(all((d.logits[i] - highest) * d.inverse_temperature))[0];
  };
  const int64_t blocks = (d.count + kDrawBlock - 1) / kDrawBlock;
  double total = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t begin = block * kDrawBlock,
                  end = d.count - begin < kDrawBlock ? d.count : begin + kDrawBlock;
    Vector sums = {};
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      sums += exponential((load(d.logits + i) - highest) * d.inverse_temperature);
    float sum = sum_of(sums);
    for (; i < end; ++i) sum += weight(i);
    d.sums[block] = sum;
    total += static_cast<double>(sum);
  }
  int64_t token = d.count - 1;
  if (d.given >= 0) {
    token = d.given;
  } else if (d.greedy) {
    for (token = 0; token < d.count - 1 && d.logits[token] != highest; ++token) {
    }
  } else {
    double left = d.u * total;
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
  const double above = static_cast<double>(d.logits[token]) - static_cast<double>(highest);
  return {token, above * static_cast<double>(d.inverse_temperature) - __builtin_log(total)};
}

}  // namespace

extern const DecodeKernels decode_kernels;
const DecodeKernels decode_kernels = {KEEL_LEVEL_NAME,         kPanelKernels<float>,
                                      kPanelKernels<uint16_t>, attend<float>,
                                      attend<uint16_t>,        norm<float>,
                                      norm<uint16_t>,          gate<float>,
                                      gate<uint16_t>,          draw};

}  // namespace keel::KEEL_LEVEL
