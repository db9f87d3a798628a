#include "keel/models/decoder_config.h"

namespace keel {

BlockProducts block_products(const DecoderConfig& c, double seen) {
  const int64_t queries = c.heads * c.head_size, keys = c.kv_heads * c.head_size;
  return {2.0 * static_cast<double>(c.hidden * (queries + 2 * keys)),
          2.0 * static_cast<double>(c.hidden * (queries + (c.gated_mlp ? 3 : 2) * c.mlp)),
          4.0 * static_cast<double>(queries) * seen};
}

}  // namespace keel
