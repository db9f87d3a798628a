// One step of generation by Decoder::forward over tensors of fixed shapes: which rows, at which positions, on
// which pages of the cache are values in its input. Nothing in it waits for the host or depends on a value,
// so that a device may record it once and launch it whole.
#pragma once

#include "keel/models/model.h"

namespace keel {

/// A layer each: (slots, kv_heads, d). Page p holds the slots from p · kPagePositions on.
struct PagedCache {
  std::vector<Tensor> keys, values;

  /// All zeros. In bfloat16 where the model multiplies in it.
  PagedCache(const Model& model, int64_t pages);
};

/// The decoder with its matrices in the products' format, so that a step need not convert them. In float32
/// and float64 the same tensors.
Decoder with_matrices_in(Precision precision, const Decoder& decoder);

/// How large a step is.
struct StepShape {
  int64_t rows = 0, pages = 0;  // tokens; pages that a token may see
  bool logits = false;          // whether the head is computed
  auto operator<=>(const StepShape&) const = default;
};

constexpr int64_t kInputsBeforePages = 3;

class DecodeStep {
 public:
  /// `decoder` and `head` (vocabulary, hidden) in the formats of with_matrices_in; all on one device.
  DecodeStep(const Decoder& decoder, const Tensor& head, PagedCache& cache, Precision precision,
             const StepShape& shape);

  /// input → logits, by way of the cache. Every row's key and value are stored before any is read.
  void run();

  /// (rows, kInputsBeforePages + pages) int64: a row's token, its position, the positions of its prefix
  /// (EngineRow), and the pages of its sequence in order. Rows and pages that are not needed name a page that
  /// none reads.
  const Tensor& input() const { return input_; }
  /// (rows, vocabulary) float32 (float64 for it), or undefined.
  const Tensor& logits() const { return logits_; }

 private:
  const Decoder& decoder_;
  Tensor head_;
  PagedCache& cache_;
  Precision precision_;
  StepShape shape_;
  Tensor input_, logits_;
};

}  // namespace keel
