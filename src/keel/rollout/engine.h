// The forward pass of generation: rows of single tokens against a paged cache of keys and values. A prompt is
// rows like any other, so prefill and decoding are one path.
//
// Two forms: Decoder::forward with attention over gathered pages (plain_engine, any device and format), and
// the same computation without ATen (cpu_engine, float32 masters on the CPU), which is what makes decoding
// fast.
#pragma once

#include <functional>
#include <memory>

#include "keel/models/model.h"

namespace keel {

/// One token at one position of a sequence; it sees positions 0 .. position. Its key and value go to a slot
/// of its pages. Rows of one sequence may stand together in any order: all are stored before any is read.
struct EngineRow {
  int64_t token = 0, position = 0;
  std::span<const int32_t> pages;
  bool wants_logits = false;
  /// Positions of a prompt that others share: what stands behind them begins a page of its own.
  int64_t prefix = 0;

  /// Where its key and value lie, counted over the slots of its pages.
  int64_t slot() const;
};

/// Receives the float32 logits (vocabulary) of rows[row], for several rows at once on as many threads. May
/// not throw.
using LogitsSink = std::function<void(size_t row, std::span<const float> logits)>;

class Engine {
 public:
  virtual ~Engine() = default;
  virtual void run(std::span<const EngineRow> rows, const LogitsSink& sink) = 0;
};

/// Operations of the products of these rows (base/products.h).
double decode_products(const DecoderConfig& config, std::span<const EngineRow> rows);

/// The fastest form for the model, with its weights as they are now. Its cache has `pages` pages.
std::unique_ptr<Engine> make_engine(const Model& model, int64_t pages);
std::unique_ptr<Engine> make_plain_engine(const Model& model, int64_t pages);

}  // namespace keel
