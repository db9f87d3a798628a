// The kernels of panel_product.h as text: see vectors.h.

namespace keel::KEEL_LEVEL {
namespace {

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
KEEL_KERNEL auto word_at(const T* from) {
  typename WordOf<T>::Word word;
  __builtin_memcpy(&word, from, sizeof word);
  return word;
}

// Which lines of memory a pass over a panel asks for, ahead of their use: weights come from memory, and a
// pass that waits for them does nothing else. One pass alone: all, kAhead bytes on. Of two or more passes the
// first two ask for half of the next panel each, and the others read what lies in the cache.
enum class Fetch { all, first_half, second_half, none };
constexpr int64_t kAhead = 4096;

template <Fetch kFetch>
KEEL_KERNEL void fetch(const char* from, int64_t panel_bytes, int vector) {
  if (kFetch == Fetch::all) __builtin_prefetch(from + kAhead);
  if (kFetch == (vector % 2 == 0 ? Fetch::first_half : Fetch::second_half))
    __builtin_prefetch(from + panel_bytes, 0, 2);
}

// Words [begin, end) of some rows. Sums are held in registers meanwhile; between the parts of a long sum they
// lie in p.sums.
template <int kRows, Fetch kFetch, class T>
KEEL_KERNEL void product_tile(const PanelProduct<T>& p, int64_t row, int64_t begin, int64_t end) {
  using Word = typename WordOf<T>::Word;
  const int64_t panel_bytes = p.words * kPanel * static_cast<int64_t>(sizeof(Word));
  for (int strip = 0; strip < kPanel; strip += kVectors * kLanes) {
    Vector sums[kRows][kVectors];
    float* const stored = p.sums + row * p.sums_stride + strip;
    const bool fresh = begin == 0 && !p.add;
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        sums[r][v] = fresh ? Vector{} : load(stored + r * p.sums_stride + v * kLanes);
    const T* a = p.a + row * p.row_stride + begin * p.word_stride;
    const T* b = p.panel + (begin * kPanel + strip) * kWord<T>;
    for (int64_t k = begin; k < end; ++k, a += p.word_stride, b += kPanel * kWord<T>) {
      decltype(load(static_cast<const Word*>(nullptr))) columns[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        const T* const from = b + v * kLanes * kWord<T>;
        __builtin_memcpy(&columns[v], from, sizeof columns[v]);
        fetch<kFetch>(reinterpret_cast<const char*>(from), panel_bytes, v);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const Word word = word_at(a + r * p.row_stride);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sums[r][v] = add_product(sums[r][v], word, columns[v]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        if (p.out == nullptr || end < p.words) {
          store(stored + r * p.sums_stride + v * kLanes, sums[r][v]);
        } else {
          const int64_t column = strip + v * kLanes;
          const Vector sum = p.bias == nullptr ? sums[r][v] : sums[r][v] + load(p.bias + column);
          store(p.out + (row + r) * p.out_stride + column, sum);
        }
      }
  }
}

// Rows in passes over the panel of equal size, or nearly; of a long sum a part at a time, so that the part
// stays in the second cache.
template <class T>
void panel_product(const PanelProduct<T>& p) {
  constexpr int64_t kMostRows = 6;  // whose sums are held in registers
  constexpr int64_t kMostWords = 1024;
  const int64_t passes = (p.rows + kMostRows - 1) / kMostRows;
  for (int64_t begin = 0; begin < p.words; begin += kMostWords) {
    const int64_t end = p.words - begin < kMostWords ? p.words : begin + kMostWords;
    for (int64_t pass = 0; pass < passes; ++pass) {
      const int64_t row = p.rows * pass / passes, taken = p.rows * (pass + 1) / passes - row;
      const auto take = [&]<int kRows>() KEEL_INLINED {
        if (passes == 1)
          product_tile<kRows, Fetch::all>(p, row, begin, end);
        else if (pass == 0)
          product_tile<kRows, Fetch::first_half>(p, row, begin, end);
        else if (pass == 1)
          product_tile<kRows, Fetch::second_half>(p, row, begin, end);
        else
          product_tile<kRows, Fetch::none>(p, row, begin, end);
      };
      switch (taken) {
        case 1:
          take.template operator()<1>();
          break;
        case 2:
          take.template operator()<2>();
          break;
        case 3:
          take.template operator()<3>();
          break;
        case 4:
          take.template operator()<4>();
          break;
        case 5:
          take.template operator()<5>();
          break;
        default:
          take.template operator()<6>();
      }
    }
  }
}

// kLanes rows of words become columns: at each step the blocks beside the diagonal change places.
template <int kStep = 1>
KEEL_KERNEL void transpose(Words (&rows)[kLanes]) {
  if constexpr (kStep < kLanes) {
    Words low, high;
    for (uint32_t j = 0; j < kLanes; ++j) {
      low[j] = (j & kStep) != 0 ? kLanes + j - kStep : j;
      high[j] = (j & kStep) != 0 ? kLanes + j : j + kStep;
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i)
      if ((i & kStep) == 0) {
        const Words first = rows[i], second = rows[i + kStep];
        rows[i] = __builtin_shuffle(first, second, low);
        rows[i + kStep] = __builtin_shuffle(first, second, high);
      }
    transpose<2 * kStep>(rows);
  }
}

KEEL_KERNEL Words joined(Halves first, Halves second) {
#if KEEL_LANES == 16
  const __m512i low = _mm512_maskz_broadcast_i64x4(0x0F, (__m256i)first);
  return (Words)_mm512_mask_broadcast_i64x4(low, 0xF0, (__m256i)second);
#elif KEEL_LANES == 8
  return (Words)_mm256_inserti128_si256(_mm256_zextsi128_si256((__m128i)first), (__m128i)second, 1);
#else
  const Halves both[2] = {first, second};
  Words words;
  __builtin_memcpy(&words, both, sizeof words);
  return words;
#endif
}
// A vector of words from neighbouring elements.
template <class T>
KEEL_KERNEL Words words_from(const T* from) {
  Words words;
  __builtin_memcpy(&words, from, sizeof words);
  return words;
}
template <class T>
KEEL_KERNEL Words words_from(const float* from) requires(kWord<T> > 1) {
  return joined(to_bfloat16(load(from)), to_bfloat16(load(from + kLanes)));
}

constexpr int64_t kAheadOfRows =
    512;  // bytes; sixteen rows at once are too many for the processor to foresee

template <class T, class From>
void pack_rows(const PackRows<T, From>& p) {
  constexpr int64_t kElements = kLanes * kWord<T>;  // of a vector of words
  for (int64_t j = 0; j < kPanel; j += kLanes)
    for (int64_t k = 0; k < p.words; k += kLanes) {
      const int64_t at = k * kWord<T>, there = p.count - at < kElements ? p.count - at : kElements;
      Words rows[kLanes];
#pragma GCC unroll 16
      for (int r = 0; r < kLanes; ++r) {
        const From* const row = p.rows[j + r];
        From cut[kElements];
        const From* from = cut;
        if (row != nullptr && there == kElements)
          from = row + at;
        else
          for (int64_t i = 0; i < kElements; ++i)
            cut[i] = row != nullptr && i < there ? row[at + i] : From(0);
        rows[r] = words_from<T>(from);
        for (int64_t line = 0; line < kElements * static_cast<int64_t>(sizeof(From)); line += 64)
          __builtin_prefetch(reinterpret_cast<const char*>(from) + kAheadOfRows + line);
      }
      transpose(rows);
      for (int64_t i = 0; i < kLanes && k + i < p.words; ++i)
        __builtin_memcpy(p.panel + ((k + i) * kPanel + j) * kWord<T>, &rows[i], sizeof(Words));
    }
}

KEEL_KERNEL Words low_halves(const uint16_t* from) {
  Halves halves;
  __builtin_memcpy(&halves, from, sizeof halves);
  return __builtin_convertvector(halves, Words);
}
KEEL_KERNEL Words low_halves(const float* from) {
  return __builtin_convertvector(to_bfloat16(load(from)), Words);
}
// A row of words from whole rows of kPanel elements; `second`: of bfloat16 alone.
template <class From>
KEEL_KERNEL void pack_row(const From* first, const From*, float* words) {
  for (int64_t j = 0; j < kPanel; j += kLanes) store(words + j, load(first + j));
}
template <class From>
KEEL_KERNEL void pack_row(const From* first, const From* second, uint16_t* words) {
  for (int64_t j = 0; j < kPanel; j += kLanes) {
    const Words pairs = low_halves(first + j) | (low_halves(second + j) << 16);
    __builtin_memcpy(words + 2 * j, &pairs, sizeof pairs);
  }
}

template <class T, class From>
void pack_columns(const PackColumns<T, From>& p) {
  From padded[2][kPanel] = {};
  const auto whole = [&](int64_t row) KEEL_INLINED -> const From* {
    const From* const from = p.x + row * p.stride;
    From* const to = padded[row % 2];
    if (row < p.rows && p.columns == kPanel) return from;
    for (int64_t j = 0; j < p.columns; ++j) to[j] = row < p.rows ? from[j] : From(0);
    return to;
  };
  for (int64_t row = 0; row < p.rows; row += kWord<T>)
    pack_row(whole(row), whole(row + kWord<T> - 1), p.panel + row * kPanel);
}

template <class T>
constexpr PanelKernels<T> kPanelKernels = {panel_product<T>, pack_rows<T, T>, pack_rows<T, float>,
                                           pack_columns<T, T>, pack_columns<T, float>};

}  // namespace
}  // namespace keel::KEEL_LEVEL
