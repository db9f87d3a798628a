// Attention of single rows against a cache of keys and values: the decoder's step during sampling.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// What one row sees: two ranges of cache slots, the shared prompt's and its own. Either may be empty, not
/// both.
struct KeyRanges {
  int64_t first_begin = 0, first_end = 0, second_begin = 0, second_end = 0;
};

/// q: (B, heads, d); keys, values: (slots, kv_heads, d); float32 or float64 on the CPU. Returns (B, heads,
/// d).
Tensor cache_attention(const Tensor& q, const Tensor& keys, const Tensor& values,
                       const std::vector<KeyRanges>& ranges, double scale);

/// The same by ATen's operations, row by row: the plain statement that tests compare with.
Tensor cache_attention_plain(const Tensor& q, const Tensor& keys, const Tensor& values,
                             const std::vector<KeyRanges>& ranges, double scale);

}  // namespace keel
