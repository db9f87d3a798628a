// Counter-based randomness: a draw is a pure function of its key, so there is no generator state to save, and
// order, batch size and thread count cannot change it.
// Philox4x32-10: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3", section 4.3.
#pragma once

#include <array>
#include <cstdint>

namespace keel {

/// What a draw is for. Two purposes never share numbers, whatever their counters are.
enum class Stream : uint32_t {
  data_order = 1,
  initial_weights = 2,
  sampling = 3,
  dropout = 4,
  corpus = 5,
  annotators = 6,
  bootstrap = 7,
  selection = 8,
  permuted_labels = 9,
  moments = 10,
};

/// The name of one draw.
struct RandomKey {
  uint64_t seed = 0;
  Stream stream = Stream::sampling;
  uint32_t step = 0;
  uint32_t prompt = 0;
  uint32_t sample = 0;
  uint32_t position = 0;
};

std::array<uint32_t, 4> philox(const RandomKey& key);

/// Uniform on the open interval (0, 1), 53 bits.
double uniform(const RandomKey& key);

/// Standard normal (Box–Muller).
double normal(const RandomKey& key);

/// Successive draws under one key: `position` counts them.
class RandomSequence {
 public:
  explicit RandomSequence(RandomKey key) : key_(key) {}
  double uniform();
  double normal();
  /// An integer in [0, bound), bound > 0, without modulo bias worth naming (bound far below 2^53).
  int64_t below(int64_t bound);

 private:
  RandomKey key_;
};

/// A permutation of [0, size) given by a key: element i is computed, nothing is stored or shuffled, so a
/// position in an epoch is one integer. A four-round Feistel network with cycle walking.
class KeyedPermutation {
 public:
  KeyedPermutation(uint64_t seed, uint32_t epoch, int64_t size, Stream stream = Stream::data_order);
  int64_t operator()(int64_t index) const;

 private:
  uint64_t seed_;
  uint32_t epoch_;
  int64_t size_;
  Stream stream_;
  int half_bits_;
};

}  // namespace keel
