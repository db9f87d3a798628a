// Vectors of one instruction set: text for the kernels_*.cpp, each of which has set its target by a pragma
// and says KEEL_LEVEL (a name), KEEL_LANES (floats of a vector), KEEL_VECTORS (of a strip of a product) and
// KEEL_DOTS_BFLOAT16 (1 where the processor multiplies bfloat16). No guard, and nothing of the standard
// library: the linker could choose that copy of a template for a processor that cannot run it.

#define KEEL_KERNEL inline __attribute__((always_inline))
#define KEEL_INLINED __attribute__((always_inline))

namespace keel::KEEL_LEVEL {
namespace {

constexpr int kLanes = KEEL_LANES, kVectors = KEEL_VECTORS;
constexpr float kNever = -1e30F;
using Vector = float __attribute__((vector_size(4 * KEEL_LANES)));
using Words = uint32_t __attribute__((vector_size(4 * KEEL_LANES)));
using Halves = uint16_t __attribute__((vector_size(2 * KEEL_LANES)));

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
KEEL_KERNEL Vector load(const uint16_t* from) {
  Halves halves;
  __builtin_memcpy(&halves, from, sizeof halves);
  return (Vector)(__builtin_convertvector(halves, Words) << 16);
}
KEEL_KERNEL Halves to_bfloat16(Vector v) {
#if KEEL_DOTS_BFLOAT16
  return (Halves)_mm512_cvtneps_pbh((__m512)v);
#else
  const Words bits = (Words)v;
  return __builtin_convertvector((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16, Halves);
#endif
}
KEEL_KERNEL void store(uint16_t* to, Vector v) {
  const Halves halves = to_bfloat16(v);
  __builtin_memcpy(to, &halves, sizeof halves);
}

// Rows are walked in whole vectors (All), half a one (Half: heads of 16 have no more) and one part of a
// vector (First n); the other lanes read as zero.
struct All {};
struct Half {};
struct First {
  int64_t count;
};
template <class T>
KEEL_KERNEL Vector load(const T* from, All) {
  return load(from);
}
template <class T>
KEEL_KERNEL Vector load(const T* from, Half) {
  T lanes[kLanes] = {};
  __builtin_memcpy(lanes, from, sizeof lanes / 2);
  return load(lanes);
}
template <class T>
KEEL_KERNEL Vector load(const T* from, First part) {
  T lanes[kLanes] = {};
  for (int64_t i = 0; i < part.count; ++i) lanes[i] = from[i];
  return load(lanes);
}
template <class T>
KEEL_KERNEL void store(T* to, Vector v, All) {
  store(to, v);
}
template <class T>
KEEL_KERNEL void store(T* to, Vector v, Half) {
  T lanes[kLanes];
  store(lanes, v);
  __builtin_memcpy(to, lanes, sizeof lanes / 2);
}
template <class T>
KEEL_KERNEL void store(T* to, Vector v, First part) {
  T lanes[kLanes];
  store(lanes, v);
  for (int64_t i = 0; i < part.count; ++i) to[i] = lanes[i];
}
KEEL_KERNEL void copy_lanes(uint16_t* to, Halves halves, All) {
  __builtin_memcpy(to, &halves, sizeof halves);
}
KEEL_KERNEL void copy_lanes(uint16_t* to, Halves halves, Half) {
  __builtin_memcpy(to, &halves, sizeof halves / 2);
}
KEEL_KERNEL void copy_lanes(uint16_t* to, Halves halves, First part) {
  for (int64_t i = 0; i < part.count; ++i) to[i] = halves[i];
}
KEEL_KERNEL Vector kept(Vector v, All) {
  return v;
}
KEEL_KERNEL Vector kept(Vector v, Half) {
  for (int i = kLanes / 2; i < kLanes; ++i) v[i] = 0;
  return v;
}
KEEL_KERNEL Vector kept(Vector v, First part) {
  for (int64_t i = part.count; i < kLanes; ++i) v[i] = 0;
  return v;
}
// Calls f(first element, All, Half or First) along a row.
template <class F>
KEEL_KERNEL void along(int64_t width, const F& f) {
  int64_t c = 0;
  for (; c + kLanes <= width; c += kLanes) f(c, All{});
  if (c + kLanes / 2 <= width) {
    f(c, Half{});
    c += kLanes / 2;
  }
  if (c < width) f(c, First{width - c});
}

KEEL_KERNEL Vector larger(Vector a, Vector b) {
  return a > b ? a : b;
}
// Lane i becomes lane i + step, around the end.
KEEL_KERNEL Vector turned(Vector v, int step) {
  Words lanes;
  for (int i = 0; i < kLanes; ++i) lanes[i] = static_cast<uint32_t>((i + step) % kLanes);
  return __builtin_shuffle(v, lanes);
}
KEEL_KERNEL float sum_of(Vector v) {
#pragma GCC unroll 4
  for (int step = kLanes / 2; step > 0; step /= 2) v = v + turned(v, step);
  return v[0];
}
KEEL_KERNEL float highest_of(Vector v) {
#pragma GCC unroll 4
  for (int step = kLanes / 2; step > 0; step /= 2) v = larger(v, turned(v, step));
  return v[0];
}
// Lanes behind `limit` of the whole row become `filler`; the vector's first lane is the row's element
// `begin`.
KEEL_KERNEL Vector cut(Vector v, int64_t begin, int64_t limit, float filler) {
  if (begin + kLanes <= limit) return v;
  Words lane;
  for (int i = 0; i < kLanes; ++i) lane[i] = static_cast<uint32_t>(i);
  const auto seen = static_cast<uint32_t>(limit > begin ? limit - begin : 0);
  return lane < seen ? v : all(filler);
}

constexpr float kIntegers =
    12582912.0F;  // 1.5 · 2^23: what is added to it lands on an integer, in the low bits
constexpr float kLog2e = 1.44269504F;

// 2^n e^r, for n = shifted − kIntegers and |r| <= ln 2 / 2 (Cephes' expf; Moshier 1989).
KEEL_KERNEL Vector scaled_exponential(Vector shifted, Vector r) {
  Vector p = all(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const Words exponent = ((Words)shifted - 0x4B400000U + 127U) << 23;
  return (p * r * r + r + 1.0F) * (Vector)exponent;
}

// As vector_exp of simd.h, on whole vectors.
KEEL_KERNEL Vector exponential(Vector x) {
  x = x < -87.0F ? all(-87.0F) : x;
  x = x > 88.0F ? all(88.0F) : x;
  const Vector shifted = x * kLog2e + kIntegers, n = shifted - kIntegers;
  return scaled_exponential(shifted, (x - n * 0.693359375F) - n * -2.12194440e-4F);
}
// 2^x between -126 and 127, and the value at the nearer end beyond. Softmax is taken to the base of two, and
// its largest exponent rounded to an integer: by blocks of keys or all at once, each weight has then the same
// digits, and bfloat16 rounds it alike. With e^(x - highest) the sampler and the trainer round differently
// and lie a hundred times further apart.
KEEL_KERNEL Vector power_of_two(Vector x) {
  x = x < -126.0F ? all(-126.0F) : x;
  x = x > 127.0F ? all(127.0F) : x;
  const Vector shifted = x + kIntegers, n = shifted - kIntegers;
  return scaled_exponential(shifted, (x - n) * 0.69314718F);
}
KEEL_KERNEL float to_integer(float x) {
  return (x + kIntegers) - kIntegers;
}

}  // namespace
}  // namespace keel::KEEL_LEVEL
