// The kernels of decode_kernels.h, once for each instruction set: a file that includes this has set its target
// by a pragma and says KEEL_LEVEL (a name), KEEL_LANES (floats of a vector), KEEL_VECTORS (of a strip) and
// KEEL_DOTS_BFLOAT16 (1 where the processor multiplies bfloat16). No guard: it is text. Nothing of the standard library
// is instantiated here: the linker could choose that copy for a processor that cannot run it.

namespace keel::KEEL_LEVEL {
namespace {

constexpr int kLanes = KEEL_LANES, kVectors = KEEL_VECTORS;
constexpr float kNever = -1e30F;
using Vector = float __attribute__((vector_size(4 * KEEL_LANES)));
using Words = uint32_t __attribute__((vector_size(4 * KEEL_LANES)));

#define KEEL_KERNEL inline __attribute__((always_inline))

KEEL_KERNEL Vector all(float x) {
  return Vector{} + x;
}
KEEL_KERNEL Vector load(const float* from) {
  Vector v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
KEEL_KERNEL Words load(const uint32_t* from) {
  Words v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
KEEL_KERNEL void store(float* to, Vector v) {
  __builtin_memcpy(to, &v, sizeof v);
}

// sum + a · b; for words: the sum of both products of a pair.
KEEL_KERNEL Vector add_product(Vector sum, float a, Vector b) {
  return sum + a * b;
}
KEEL_KERNEL Vector add_product(Vector sum, uint32_t a, Words b) {
#if KEEL_DOTS_BFLOAT16
  return (Vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32(static_cast<int>(a)), (__m512bh)b);
#else
  sum = sum + __builtin_bit_cast(float, a << 16) * (Vector)(b << 16);
  return sum + __builtin_bit_cast(float, a & 0xFFFF0000U) * (Vector)(b & 0xFFFF0000U);
#endif
}

KEEL_KERNEL uint16_t rounded(float value) {
  const auto bits = __builtin_bit_cast(uint32_t, value);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
KEEL_KERNEL void put(float* to, float value) {
  *to = value;
}
KEEL_KERNEL void put(uint16_t* to, float value) {
  *to = rounded(value);
}
KEEL_KERNEL void store(uint16_t* to, Vector v) {
  const Words bits = (Words)v;
  const Words words = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  using Halves = uint16_t __attribute__((vector_size(2 * KEEL_LANES)));
  const Halves halves = __builtin_convertvector(words, Halves);
  __builtin_memcpy(to, &halves, sizeof halves);
}

KEEL_KERNEL float sum_of(Vector v) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}
KEEL_KERNEL float highest_of(Vector v) {
  float highest = v[0];
  for (int i = 1; i < kLanes; ++i) highest = v[i] > highest ? v[i] : highest;
  return highest;
}
KEEL_KERNEL Vector larger(Vector a, Vector b) {
  return a > b ? a : b;
}

// As vector_exp of simd.h, on whole vectors.
KEEL_KERNEL Vector exponential(Vector x) {
  x = x < -87.0F ? all(-87.0F) : x;
  x = x > 88.0F ? all(88.0F) : x;
  const Vector shifted = x * 1.44269504F + 12582912.0F, n = shifted - 12582912.0F;
  const Vector r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  Vector p = all(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const Words exponent = ((Words)shifted - 0x4B400000U + 127U) << 23;
  return (p * r * r + r + 1.0F) * (Vector)exponent;
}

// A word is what one step of a product reads of a row: a float, or a pair of bfloat16.
template <class T>
struct WordOf;
template <>
struct WordOf<float> {
  using Word = float;
};
template <>
struct WordOf<uint16_t> {
  using Word = uint32_t;
};
template <class T>
constexpr int64_t kPair = sizeof(float) / sizeof(T);

template <class Word>
KEEL_KERNEL Word word_at(const Word* from) {
  Word word;
  __builtin_memcpy(&word, from, sizeof word);
  return word;
}

// One order of summation whatever the number of rows: a single chain over the words of a row.
template <int kRows, class Word>
KEEL_KERNEL void product_rows(const Word* a, int64_t stride, const Word* panel, int64_t words, float* out) {
  for (int strip = 0; strip < kPanel; strip += kVectors * kLanes) {
    Vector sums[kRows][kVectors] = {};
    for (int64_t k = 0; k < words; ++k) {
      const Word* from = panel + k * kPanel + strip;
      decltype(load(from)) columns[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        columns[v] = load(from + v * kLanes);
        if (kRows <= 2) __builtin_prefetch(reinterpret_cast<const char*>(from + v * kLanes) + 4096);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const Word word = word_at(a + r * stride + k);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sums[r][v] = add_product(sums[r][v], word, columns[v]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) store(out + r * kPanel + strip + v * kLanes, sums[r][v]);
  }
}

template <class T>
void product(const PanelProduct<T>& p) {
  using Word = typename WordOf<T>::Word;
  const auto* a = reinterpret_cast<const Word*>(p.a);
  const auto* panel = reinterpret_cast<const Word*>(p.panel);
  const int64_t stride = p.a_stride / kPair<T>, words = p.inner / kPair<T>;
  int64_t row = 0;
  const auto take = [&]<int kRows>() __attribute__((always_inline)) {
    product_rows<kRows>(a + row * stride, stride, panel, words, p.out + row * kPanel);
    row += kRows;
  };
  while (p.rows - row >= 6) take.template operator()<6>();
  switch (p.rows - row) {
    case 5:
      return take.template operator()<5>();
    case 4:
      return take.template operator()<4>();
    case 3:
      return take.template operator()<3>();
    case 2:
      return take.template operator()<2>();
    case 1:
      return take.template operator()<1>();
    default:
      return;
  }
}

// scores (padded(positions)) = query · key at every position, kNever behind the last; returns the highest.
template <class T>
KEEL_KERNEL float score_pages(const PagedAttention<T>& p) {
  using Word = typename WordOf<T>::Word;
  constexpr int kParts = kPagePositions / kLanes, kChains = 4;
  const auto* query = reinterpret_cast<const Word*>(p.query);
  const int64_t words = p.head / kPair<T>, pages = (p.positions + kPagePositions - 1) / kPagePositions;
  float highest = kNever;
  for (int64_t page = 0; page < pages; ++page) {
    const auto* keys = reinterpret_cast<const Word*>(p.keys + p.pages[page] * p.page_stride);
    for (int part = 0; part < kParts; ++part) {
      Vector sums[kChains] = {};
      for (int64_t k = 0; k < words; k += kChains)
#pragma GCC unroll 4
        for (int c = 0; c < kChains; ++c)
          sums[c] = add_product(sums[c], word_at(query + k + c),
                                load(keys + (k + c) * kPagePositions + part * kLanes));
      const Vector sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
      float* scores = p.scores + page * kPagePositions + part * kLanes;
      store(scores, sum);
      const int64_t seen = p.positions - page * kPagePositions - part * kLanes;
      for (int64_t i = seen < 0 ? 0 : seen; i < kLanes; ++i) scores[i] = kNever;
      const float here = highest_of(load(scores));
      highest = here > highest ? here : highest;
    }
  }
  return highest;
}

// out of one strip of a head: weights · values, divided by the weights' sum.
template <int kCount, class T>
KEEL_KERNEL void value_strip(const PagedAttention<T>& p, int64_t column, float inverse, T* out) {
  using Word = typename WordOf<T>::Word;
  constexpr int64_t kWordsOfPage = kPagePositions / kPair<T>;
  const auto* weights = reinterpret_cast<const Word*>(p.weights);
  const int64_t pages = (p.positions + kPagePositions - 1) / kPagePositions;
  Vector sums[2][kCount] = {};
  for (int64_t page = 0; page < pages; ++page) {
    const auto* values = reinterpret_cast<const Word*>(p.values + p.pages[page] * p.page_stride);
    for (int64_t k = 0; k < kWordsOfPage; k += 2)
#pragma GCC unroll 2
      for (int chain = 0; chain < 2; ++chain) {
        const Word weight = word_at(weights + page * kWordsOfPage + k + chain);
        const Word* row = values + (k + chain) * p.head + column;
#pragma GCC unroll 8
        for (int v = 0; v < kCount; ++v)
          sums[chain][v] = add_product(sums[chain][v], weight, load(row + v * kLanes));
      }
  }
  for (int v = 0; v < kCount; ++v) store(out + column + v * kLanes, (sums[0][v] + sums[1][v]) * inverse);
}

template <class T>
void attend(const PagedAttention<T>& p) {
  const int64_t filled = (p.positions + kPagePositions - 1) / kPagePositions * kPagePositions;
  for (int64_t head = 0; head < p.group; ++head) {
    for (int64_t c = 0; c < p.head; ++c) put(p.query + c, p.q[head * p.head + c] * p.scale);
    const float highest = score_pages(p);
    Vector sums = {};
    for (int64_t i = 0; i < filled; i += kLanes) {
      const Vector weights = exponential(load(p.scores + i) - highest);
      // exponential() ends at e^-87: what is not seen must weigh nothing at all
      const Vector seen = load(p.scores + i) > 0.5F * kNever ? weights : Vector{};
      sums += seen;
      store(p.weights + i, seen);
    }
    const float inverse = 1.0F / sum_of(sums);
    T* out = p.out + head * p.out_stride;
    int64_t column = 0;
    for (; column + 4 * kLanes <= p.head; column += 4 * kLanes) value_strip<4>(p, column, inverse, out);
    for (; column < p.head; column += kLanes) value_strip<1>(p, column, inverse, out);
  }
}

template <class T>
void norm(const RowNorm<T>& n) {
  // Whole vectors, then what is left over one by one; the same for every row of a width.
  const int64_t whole = n.width / kLanes * kLanes;
  const auto width = static_cast<float>(n.width);
  float mean = 0;
  if (n.centered) {
    Vector sums = {};
    for (int64_t c = 0; c < whole; c += kLanes) sums += load(n.x + c);
    mean = sum_of(sums);
    for (int64_t c = whole; c < n.width; ++c) mean += n.x[c];
    mean /= width;
  }
  Vector sums = {};
  for (int64_t c = 0; c < whole; c += kLanes) {
    const Vector d = load(n.x + c) - mean;
    sums += d * d;
  }
  float squares = sum_of(sums);
  for (int64_t c = whole; c < n.width; ++c) squares += (n.x[c] - mean) * (n.x[c] - mean);
  const float inverse = 1.0F / __builtin_sqrtf(squares / width + n.epsilon);
  for (int64_t c = 0; c < whole; c += kLanes) {
    Vector y = (load(n.x + c) - mean) * inverse * load(n.weight + c);
    if (n.bias != nullptr) y += load(n.bias + c);
    store(n.out + c, y);
  }
  for (int64_t c = whole; c < n.width; ++c)
    put(n.out + c, (n.x[c] - mean) * inverse * n.weight[c] + (n.bias != nullptr ? n.bias[c] : 0.0F));
}

KEEL_KERNEL Vector activated(Gate gate, Vector x) {
  if (gate == Gate::silu) return x / (1.0F + exponential(-x));
  if (gate == Gate::relu) return x > 0.0F ? x : Vector{};
  if (gate == Gate::gelu_tanh) {  // x/2 (1 + tanh y) = x / (1 + e^-2y)
    const Vector y = 0.7978845608F * (x + 0.044715F * x * x * x);
    return x / (1.0F + exponential(-2.0F * y));
  }
  for (int i = 0; i < kLanes; ++i) x[i] = 0.5F * x[i] * (1.0F + __builtin_erff(x[i] * 0.7071067812F));
  return x;
}

// width: a multiple of kPadding.
template <class T>
void gate(const GateRow<T>& g) {
  for (int64_t c = 0; c < g.width; c += kLanes) {
    const Vector y = activated(g.gate, load(g.x + c));
    store(g.out + c, g.up != nullptr ? y * load(g.up + c) : y);
  }
}

// The softmax in blocks: the draw walks over the blocks' sums, then within one block.
Draw draw(const DrawRow& d) {
  const int64_t whole = d.count / kLanes * kLanes;
  Vector peaks = all(kNever);
  for (int64_t i = 0; i < whole; i += kLanes) peaks = larger(peaks, load(d.logits + i));
  float highest = highest_of(peaks);
  for (int64_t i = whole; i < d.count; ++i) highest = d.logits[i] > highest ? d.logits[i] : highest;
  const auto weight = [&](int64_t i) __attribute__((always_inline)) {
    return exponential(all((d.logits[i] - highest) * d.inverse_temperature))[0];
  };
  const int64_t blocks = (d.count + kDrawBlock - 1) / kDrawBlock;
  double total = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t begin = block * kDrawBlock, end = d.count - begin < kDrawBlock ? d.count : begin + kDrawBlock;
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
  if (d.greedy) {
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

extern const DecodeKernels kernels;
const DecodeKernels kernels = {KEEL_LEVEL_NAME, product<float>, product<uint16_t>, attend<float>, attend<uint16_t>,
                               norm<float>,     norm<uint16_t>, gate<float>,       gate<uint16_t>, draw};

#undef KEEL_KERNEL

}  // namespace keel::KEEL_LEVEL
