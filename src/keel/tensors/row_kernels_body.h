// The kernels of row_kernels.h as text: see vectors.h.

namespace keel::KEEL_LEVEL {
namespace {

template <class T>
void norm_row(NormRow<T>& n) {
  const auto width = static_cast<float>(n.width);
  Vector totals = {}, squares = {};
  along(n.width, [&](int64_t c, auto part) KEEL_INLINED {
    Vector sum = load(n.x + c, part);
    if (n.added != nullptr) sum += load(n.added + c, part);
    store(n.sum + c, sum, part);
    totals += sum;
  });
  n.mean = n.centered ? sum_of(totals) / width : 0.0F;
  along(n.width, [&](int64_t c, auto part) KEEL_INLINED {
    const Vector d = kept(load(n.sum + c, part) - n.mean, part);
    squares += d * d;
  });
  n.inverse = 1.0F / __builtin_sqrtf(sum_of(squares) / width + n.epsilon);
  along(n.width, [&](int64_t c, auto part) KEEL_INLINED {
    Vector y = (load(n.sum + c, part) - n.mean) * n.inverse * load(n.weight + c, part);
    if (n.bias != nullptr) y += load(n.bias + c, part);
    store(n.normed + c, y, part);
  });
}

// With z the normed row before its weight and g = dnormed · weight: d = inverse (g − mean(g) − z mean(g z)),
// without mean(g) for RMSNorm. What is not there loads as zero: its g is zero, too.
template <class T>
void norm_row_back(const NormRowBack<T>& n) {
  const auto width = static_cast<float>(n.width);
  Vector along_sums = {}, totals = {};
  along(n.width, [&](int64_t c, auto part) KEEL_INLINED {
    const Vector z = (load(n.sum + c, part) - n.mean) * n.inverse, d = load(n.dnormed + c, part);
    const Vector g = d * load(n.weight + c, part);
    store(n.dweight + c, load(n.dweight + c, part) + d * z, part);
    if (n.dbias != nullptr) store(n.dbias + c, load(n.dbias + c, part) + d, part);
    along_sums += g * z;
    totals += g;
  });
  const float along_mean = sum_of(along_sums) / width, total = n.centered ? sum_of(totals) / width : 0.0F;
  along(n.width, [&](int64_t c, auto part) KEEL_INLINED {
    const Vector z = (load(n.sum + c, part) - n.mean) * n.inverse;
    const Vector g = load(n.dnormed + c, part) * load(n.weight + c, part);
    const Vector d = load(n.dsum + c, part) + n.inverse * (g - total - z * along_mean);
    store(n.dsum + c, d, part);
    if (n.dadded != nullptr) store(n.dadded + c, d, part);
  });
}

template <class T>
void rotate_row(const RotateRow<T>& r) {
  const int64_t half = r.head_size / 2;
  for (int64_t head = 0; head < r.heads; ++head) {
    T* x = r.x + head * r.head_size;
    along(half, [&](int64_t c, auto part) KEEL_INLINED {
      const Vector first = load(x + c, part), second = load(x + half + c, part);
      const Vector cosine = load(r.cosines + c, part), sine = r.sign * load(r.sines + c, part);
      store(x + c, first * cosine - second * sine, part);
      store(x + half + c, second * cosine + first * sine, part);
    });
  }
}

KEEL_KERNEL Vector sigmoid(Vector x) {
  return 1.0F / (1.0F + exponential(-x));
}

// Abramowitz and Stegun 1964, 7.1.26: off by 1.5e-7 at most.
KEEL_KERNEL Vector error_function(Vector x) {
  const Vector size = x < 0.0F ? -x : x, t = 1.0F / (1.0F + 0.3275911F * size);
  Vector p = all(1.061405429F);
  p = p * t - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = p * t + 0.254829592F;
  const Vector y = 1.0F - p * t * exponential(-size * size);
  return x < 0.0F ? -y : y;
}

template <Activation kActivation>
KEEL_KERNEL Vector activated(Vector x) {
  if (kActivation == Activation::silu) return x * sigmoid(x);
  if (kActivation == Activation::relu) return x > 0.0F ? x : Vector{};
  if (kActivation == Activation::gelu_tanh)  // x/2 (1 + tanh y) = x / (1 + e^-2y)
    return x * sigmoid(2.0F * 0.7978845608F * (x + 0.044715F * x * x * x));
  return 0.5F * x * (1.0F + error_function(x * 0.7071067812F));
}

// What a projection gave, as the trainer keeps it.
template <class T, class From>
KEEL_KERNEL Vector kept_as(Vector x) {
  if (sizeof(T) == sizeof(From)) return x;
  const Words bits = __builtin_convertvector(to_bfloat16(x), Words) << 16;
  return (Vector)bits;
}

template <Activation kActivation, class T, class From>
KEEL_KERNEL void activate(const ActivateRow<T, From>& a) {
  along(a.width, [&](int64_t c, auto part) KEEL_INLINED {
    const Vector y = activated<kActivation>(kept_as<T, From>(load(a.x + c, part)));
    store(a.out + c, a.up != nullptr ? y * kept_as<T, From>(load(a.up + c, part)) : y, part);
  });
}

template <class T, class From>
void activate_row(const ActivateRow<T, From>& a) {
  switch (a.activation) {
    case Activation::silu:
      return activate<Activation::silu>(a);
    case Activation::gelu:
      return activate<Activation::gelu>(a);
    case Activation::gelu_tanh:
      return activate<Activation::gelu_tanh>(a);
    case Activation::relu:
      return activate<Activation::relu>(a);
  }
}

template <class T>
void gated_row_back(const GatedRowBack<T>& g) {
  along(g.width, [&](int64_t c, auto part) KEEL_INLINED {
    const Vector gate = load(g.gate_up + c, part), up = load(g.gate_up + g.width + c, part);
    const Vector d = load(g.dinner + c, part), s = sigmoid(gate);
    store(g.dgate_up + c, d * up * s * (1.0F + gate * (1.0F - s)), part);
    store(g.dgate_up + g.width + c, d * gate * s, part);
  });
}

// 2^(scale score − highest), highest an integer: the fraction is taken before highest is, so that a weight
// has the same digits whatever the highest is.
KEEL_KERNEL Vector softmax_weight(Vector score, float scale, float highest) {
  constexpr float kFar = 2097152.0F;  // 2^21: what is added to kIntegers keeps its place
  Vector x = score * scale;
  x = x < -kFar ? all(-kFar) : x;
  x = x > kFar ? all(kFar) : x;
  const Vector shifted = x + kIntegers, n = shifted - kIntegers;
  Vector power = shifted - highest;
  power = power < kIntegers - 126.0F ? all(kIntegers - 126.0F) : power;
  return scaled_exponential(power, (x - n) * 0.69314718F);
}

template <class T>
void softmax_block(const SoftmaxBlock<T>& b) {
  constexpr int kParts = kAttentionBlock / kLanes;
  for (int64_t r = 0; r < b.rows; ++r) {
    const int64_t limit = b.diagonal && r + 1 < b.keys ? r + 1 : b.keys;
    const float* row = b.scores + r * kAttentionBlock;
    const float scale = b.scale * kLog2e;
    Vector x[kParts], peaks = all(kNever), sums = {};
    for (int i = 0; i < kParts; ++i) {
      x[i] = cut(load(row + i * kLanes), i * kLanes, limit, kNever);
      peaks = larger(peaks, x[i]);
    }
    float highest = to_integer(highest_of(peaks) * scale);
    if (!b.first && b.highest[r] > highest) highest = b.highest[r];
    for (int i = 0; i < kParts; ++i) {
      const Vector weight = cut(softmax_weight(x[i], scale, highest), i * kLanes, limit, 0.0F);
      sums += weight;
      store(b.weights + r * kAttentionBlock + i * kLanes, weight);
    }
    float sum = sum_of(sums);
    if (!b.first) {
      const float factor = power_of_two(all(b.highest[r] - highest))[0];
      sum += b.sum[r] * factor;
      float* out = b.out + r * b.width;
      if (factor != 1.0F)
        along(b.width,
              [&](int64_t c, auto part) KEEL_INLINED { store(out + c, load(out + c, part) * factor, part); });
    }
    b.highest[r] = highest;
    b.sum[r] = sum;
  }
}

// The gradient of the scores of one key (row) with kLanes queries from j on; writes its weights.
template <class T>
KEEL_KERNEL Vector score_gradient(const GradientBlock<T>& b, int64_t row, int64_t j) {
  const int64_t first_query = row >= b.keys ? kAttentionBlock
                              : b.diagonal  ? row
                                            : 0,
                at = row * kAttentionBlock + j;
  Vector p = exponential(load(b.scores + at) * b.scale - load(b.lse + j));
  p = p - cut(p, j, first_query, 0.0F);
  store(b.weights + at, p);
  return b.scale * p * (load(b.dweights + at) - load(b.along + j));
}

void gradient_block(const GradientBlock<float>& b) {
  for (int64_t r = 0; r < b.rows; ++r)
    for (int64_t j = 0; j < kAttentionBlock; j += kLanes)
      store(b.dscores + r * kAttentionBlock + j, score_gradient(b, r, j));
}

void gradient_block(const GradientBlock<uint16_t>& b) {
  for (int64_t r = 0; r < b.rows; r += 2)
    for (int64_t j = 0; j < kAttentionBlock; j += kLanes) {
      const Halves first = to_bfloat16(score_gradient(b, r, j)),
                   second = to_bfloat16(score_gradient(b, r + 1, j));
      __builtin_memcpy(b.dscores + r * kAttentionBlock + j, &first, sizeof first);
      __builtin_memcpy(b.dscores + (r + 1) * kAttentionBlock + j, &second, sizeof second);
      const Words pairs =
          __builtin_convertvector(first, Words) | (__builtin_convertvector(second, Words) << 16);
      __builtin_memcpy(b.dscores_packed + r * kAttentionBlock + 2 * j, &pairs, sizeof pairs);
    }
}

template <class T>
void pack_block(const PackBlock<T>& p) {
  using Word = typename WordOf<T>::Word;
  for (int64_t r = 0; r < kAttentionBlock; ++r) {
    const T* from = p.x + r * p.stride;
    T* to = p.copy + r * p.width;
    const int64_t columns = r < p.rows ? p.columns : 0;
    __builtin_memcpy(to, from, static_cast<std::size_t>(columns) * sizeof(T));
    for (int64_t c = columns; c < p.width; ++c) to[c] = 0;
  }
  const int64_t words = p.width / kWord<T>;
  if (p.by_rows != nullptr && kWord<T> == 2)
    for (int64_t r = 0; r < kAttentionBlock; r += 2) {
      const T *first = p.copy + r * p.width, *second = first + p.width;
      T* to = p.by_rows + r * p.width;
      for (int64_t c = 0; c < p.width; ++c) {
        to[2 * c] = first[c];
        to[2 * c + 1] = second[c];
      }
    }
  if (p.by_columns != nullptr) {
    const auto* from = reinterpret_cast<const Word*>(p.copy);
    auto* to = reinterpret_cast<Word*>(p.by_columns);
    for (int64_t c = 0; c < words; ++c)
      for (int64_t r = 0; r < kAttentionBlock; ++r)
        __builtin_memcpy(to + c * kAttentionBlock + r, from + r * words + c, sizeof(Word));
  }
  if (p.transposed != nullptr)
    for (int64_t c = 0; c < p.width; ++c)
      for (int64_t r = 0; r < kAttentionBlock; ++r)
        p.transposed[c * kAttentionBlock + r] = p.copy[r * p.width + c];
}

template <class T>
void scale_row(const ScaleRow<T>& s) {
  along(s.width,
        [&](int64_t c, auto part) KEEL_INLINED { store(s.y + c, load(s.x + c, part) * s.factor, part); });
}

template <class T>
float dot(const T* a, const T* b, int64_t width) {
  Vector sums = {};
  along(width, [&](int64_t c, auto part) KEEL_INLINED { sums += load(a + c, part) * load(b + c, part); });
  return sum_of(sums);
}

// Σ exp(z) and Σ z exp(z), z = (logit − highest) / temperature: float32 sums of a block, float64 sums of
// blocks. sums: the blocks' first sums, or null.
struct SoftmaxSum {
  float highest;
  double total, moment;
};
template <bool kMoment>
KEEL_KERNEL SoftmaxSum softmax_sum(const float* logits, int64_t count, float inverse_temperature,
                                   float* sums) {
  Vector peaks = all(kNever);
  along(count, [&](int64_t c, auto part) KEEL_INLINED {
    const Vector x = load(logits + c, part);
    peaks = larger(peaks, x - (1.0F - kept(all(1.0F), part)) * -kNever);
  });
  constexpr int64_t kRun = 16 * kDrawBlock;  // of moments, which no draw walks over
  SoftmaxSum result{highest_of(peaks), 0, 0};
  Vector moments = {};
  for (int64_t begin = 0; begin < count; begin += kDrawBlock) {
    Vector weights = {};
    along(count - begin < kDrawBlock ? count - begin : kDrawBlock, [&](int64_t c, auto part) KEEL_INLINED {
      const Vector z = (load(logits + begin + c, part) - result.highest) * inverse_temperature;
      const Vector weight = kept(exponential(z), part);
      weights += weight;
      if (kMoment) moments += weight * z;
    });
    const float sum = sum_of(weights);
    if (sums != nullptr) sums[begin / kDrawBlock] = sum;
    result.total += static_cast<double>(sum);
    if (kMoment && (begin % kRun == kRun - kDrawBlock || begin + kDrawBlock >= count)) {
      result.moment += static_cast<double>(sum_of(moments));
      moments = Vector{};
    }
  }
  return result;
}
// log softmax at a logit.
KEEL_KERNEL double logp_of(float logit, const SoftmaxSum& sum, float inverse_temperature) {
  const double above = static_cast<double>(logit) - static_cast<double>(sum.highest);
  return above * static_cast<double>(inverse_temperature) - __builtin_log(sum.total);
}

// With z the scaled logits: p = exp(z − lse), entropy = lse − Σ p z.
void logprob_row(LogProbRow& r) {
  const SoftmaxSum sum = softmax_sum<true>(r.logits, r.count, r.inverse_temperature, nullptr);
  const double log_total = __builtin_log(sum.total);
  r.lse = static_cast<float>(static_cast<double>(sum.highest) * static_cast<double>(r.inverse_temperature) +
                             log_total);
  r.entropy = static_cast<float>(log_total - sum.moment / sum.total);
  r.logp = static_cast<float>(logp_of(r.logits[r.token], sum, r.inverse_temperature));
}

// d logp / dz = onehot − p, d entropy / dz = −p (log p + entropy).
template <class T>
void logprob_row_back(const LogProbRowBack<T>& r) {
  along(r.count, [&](int64_t c, auto part) KEEL_INLINED {
    const Vector log_p = load(r.logits + c, part) * r.inverse_temperature - r.lse;
    Vector d = -exponential(log_p) * (r.dlogp + r.dentropy * (log_p + r.entropy));
    const int64_t at = r.token - c;
    if (at >= 0 && at < kLanes) d[at] += r.dlogp;
    store(r.dlogits + c, d * r.inverse_temperature, part);
  });
}

template <class T>
void add_row(const AddRow<T>& a) {
  along(a.width, [&](int64_t c, auto part)
                     KEEL_INLINED { store(a.y + c, load(a.x + c, part) + load(a.added + c, part), part); });
}

KEEL_KERNEL Vector root(Vector x) {
#if KEEL_LANES == 16
  return (Vector)_mm512_maskz_sqrt_ps(0xFFFF, (__m512)x);
#elif KEEL_LANES == 8
  return (Vector)_mm256_sqrt_ps((__m256)x);
#else
  for (int i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

// a · b; for bfloat16 moments the compiler may not fuse it with a sum.
template <class T>
KEEL_KERNEL Vector product(Vector a, Vector b) {
  Vector result = a * b;
  if (sizeof(T) == sizeof(float)) return result;
#if defined(__x86_64__) && KEEL_LANES == 16
  asm("" : "+v"(result));
#elif defined(__x86_64__)
  asm("" : "+x"(result));
#else
  asm("" : "+m"(result));
#endif
  return result;
}

// 32 bits for each element from `index` on: a bijection of the index for each pair of keys (the multipliers
// and shifts are Wellons' lowbias32 of 2018). Two products an element; Philox takes five, each of 64 bits.
KEEL_KERNEL Words random_bits(uint32_t index, const uint32_t* keys) {
  Words bits;
  for (int i = 0; i < kLanes; ++i) bits[i] = static_cast<uint32_t>(i);
  bits += index + keys[0];
  bits = (bits ^ (bits >> 16)) * 0x7FEB352DU ^ keys[1];
  bits = (bits ^ (bits >> 15)) * 0x846CA68BU;
  return bits ^ (bits >> 16);
}

// Moments into memory. To bfloat16 a number goes up with the probability that its lower half has of 2^16;
// `random` are 16 bits. Finite numbers alone: the norm of the gradients ends a run before others come here.
template <class Part>
KEEL_KERNEL void put_moment(float* to, Vector moment, Words, Part part) {
  store(to, moment, part);
}
template <class Part>
KEEL_KERNEL void put_moment(uint16_t* to, Vector moment, Words random, Part part) {
  // Not store(): AVX512-BF16's rounding takes what is below the normal numbers for zero.
  const Halves halves = __builtin_convertvector(((Words)moment + random) >> 16, Halves);
  copy_lanes(to, halves, part);
}

template <class T>
void adamw_range(const AdamWRange<T>& a) {
  along(a.count, [&](int64_t i, auto part) KEEL_INLINED {
    const Vector g = product<T>(load(a.grad + i, part), all(a.clip));
    const Vector mean = product<T>(all(a.beta1), load(a.mean + i, part)) + product<T>(all(1.0F - a.beta1), g);
    const Vector square =
        product<T>(all(a.beta2), load(a.square + i, part)) + product<T>((1.0F - a.beta2) * g, g);
    const Words random = random_bits(a.first + static_cast<uint32_t>(i), a.keys);
    put_moment(a.mean + i, mean, random & 0xFFFFU, part);
    put_moment(a.square + i, square, random >> 16, part);
    const Vector step = a.step_size * mean / (root(square) / a.root_correction + a.epsilon);
    store(a.value + i, product<T>(load(a.value + i, part), all(a.keep)) - step, part);
  });
}

double squares(const float* x, int64_t count) {
  double total = 0;
  constexpr int64_t kRun = 4096;
  for (int64_t begin = 0; begin < count; begin += kRun) {
    Vector sums[2] = {};
    int turn = 0;
    along(count - begin < kRun ? count - begin : kRun, [&](int64_t c, auto part) KEEL_INLINED {
      const Vector v = load(x + begin + c, part);
      sums[turn] += v * v;
      turn ^= 1;
    });
    total += static_cast<double>(sum_of(sums[0] + sums[1]));
  }
  return total;
}

template <class T>
constexpr RowKernelsOf<T> kRowKernelsOf = {
    norm_row<T>,      norm_row_back<T>, rotate_row<T>,       activate_row<T, T>, gated_row_back<T>,
    softmax_block<T>, gradient_block,   logprob_row_back<T>, add_row<T>,         pack_block<T>,
    scale_row<T>,     dot<T>,           adamw_range<T>};

}  // namespace

extern const RowKernels row_kernels;
const RowKernels row_kernels = {KEEL_LEVEL_NAME, kRowKernelsOf<float>, kRowKernelsOf<uint16_t>, logprob_row,
                                squares,         kPanelKernels<float>, kPanelKernels<uint16_t>};

}  // namespace keel::KEEL_LEVEL
