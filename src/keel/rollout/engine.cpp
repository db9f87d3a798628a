#include "keel/rollout/engine.h"

#include "keel/rollout/page_pool.h"

namespace keel {

int64_t EngineRow::slot() const {
  return position < prefix ? position : slots_for(prefix) + position - prefix;
}

double decode_products(const DecoderConfig& config, std::span<const EngineRow> rows) {
  double blocks = 0, head = 0;
  for (const EngineRow& row : rows) {
    blocks += block_products(config, static_cast<double>(row.position + 1)).sum();
    if (row.wants_logits) head += 2.0 * static_cast<double>(config.hidden * config.vocabulary);
  }
  return blocks * static_cast<double>(config.layers) + head;
}

}  // namespace keel
