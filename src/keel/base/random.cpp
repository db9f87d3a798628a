#include "keel/base/random.h"

#include <cmath>
#include <numbers>

namespace keel {
namespace {

// Spreads the seed and the stream over the 64 bits of Philox's key (the finaliser of SplitMix64).
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

double to_unit(uint32_t high, uint32_t low) {
  const uint64_t bits = (static_cast<uint64_t>(high) << 32 | low) >> 11;
  return (static_cast<double>(bits) + 0.5) * 0x1p-53;
}

double to_normal(const std::array<uint32_t, 4>& draw) {
  const double radius = std::sqrt(-2.0 * std::log(to_unit(draw[0], draw[1])));
  return radius * std::cos(2.0 * std::numbers::pi * to_unit(draw[2], draw[3]));
}

}  // namespace

std::array<uint32_t, 4> philox(const RandomKey& key) {
  const uint64_t mixed = mix(key.seed ^ mix(static_cast<uint64_t>(key.stream)));
  uint32_t k0 = static_cast<uint32_t>(mixed), k1 = static_cast<uint32_t>(mixed >> 32);
  std::array<uint32_t, 4> c = {key.position, key.sample, key.prompt, key.step};
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = 0xD2511F53ULL * c[0], p1 = 0xCD9E8D57ULL * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return c;
}

double uniform(const RandomKey& key) {
  const auto draw = philox(key);
  return to_unit(draw[0], draw[1]);
}

double normal(const RandomKey& key) {
  return to_normal(philox(key));
}

double RandomSequence::uniform() {
  const double value = keel::uniform(key_);
  ++key_.position;
  return value;
}

double RandomSequence::normal() {
  const double value = keel::normal(key_);
  ++key_.position;
  return value;
}

int64_t RandomSequence::below(int64_t bound) {
  return static_cast<int64_t>(uniform() * static_cast<double>(bound));
}

KeyedPermutation::KeyedPermutation(uint64_t seed, uint32_t epoch, int64_t size, Stream stream)
    : seed_(seed), epoch_(epoch), size_(size), stream_(stream), half_bits_(1) {
  while ((int64_t{1} << (2 * half_bits_)) < size) ++half_bits_;
}

int64_t KeyedPermutation::operator()(int64_t index) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  auto value = static_cast<uint64_t>(index);
  do {  // values outside [0, size) walk on along their cycle until they come back inside
    uint64_t left = value >> half_bits_, right = value & mask;
    for (uint32_t round = 0; round < 4; ++round) {
      const auto draw = philox(
          {seed_, stream_, epoch_, round, static_cast<uint32_t>(right), static_cast<uint32_t>(right >> 32)});
      const uint64_t next = left ^ (draw[0] & mask);
      left = right;
      right = next;
    }
    value = left << half_bits_ | right;
  } while (value >= static_cast<uint64_t>(size_));
  return static_cast<int64_t>(value);
}

}  // namespace keel
