// Kernels in plain C++ that the compiler vectorises once for each instruction set, chosen when the program
// loads.
#pragma once

#include <bit>
#include <cstdint>

#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__)
// By level, not by name: "arch=haswell" is chosen on that very processor alone.
#define KEEL_DISPATCHED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KEEL_DISPATCHED
#endif

/// The body of a dispatched function: inlined into each clone and so compiled for its instruction set.
#define KEEL_INLINE inline __attribute__((always_inline))

namespace keel {

KEEL_INLINE float bfloat16_to_float(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// To the nearest, ties to even; NaN stays NaN.
KEEL_INLINE uint16_t float_to_bfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  return static_cast<uint16_t>(value == value ? rounded : 0x7FC0);
}

/// e^x within 2 units in the last place between -87 and 88, and the value at the nearer end beyond.
/// Vectorises, which std::exp does not everywhere. After Cephes' expf (Moshier 1989): x = n ln 2 + r, a
/// polynomial in r, and 2^n.
KEEL_INLINE float vector_exp(float x) {
  x = x < -87.0F ? -87.0F : x > 88.0F ? 88.0F : x;
  const float shifted = x * 1.44269504F + 12582912.0F;  // 1.5 * 2^23: the integer lands in the low bits
  const float n = shifted - 12582912.0F;
  const float r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const auto exponent = (std::bit_cast<uint32_t>(shifted) - 0x4B400000U + 127U) << 23;
  return (p * r * r + r + 1.0F) * std::bit_cast<float>(exponent);
}

}  // namespace keel
