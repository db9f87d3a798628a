// The inner loops of decoding: products with packed weights, attention of one query over a paged cache, norms
// and gates of one row. Compiled once for each instruction set (kernels_*.cpp) and chosen at run time;
// raw pointers only. Every result of a row depends on that row alone, never on how many rows are computed
// with it.
//
// Numbers are float, or bfloat16 as uint16_t; sums are always float32. Two neighbouring bfloat16 of the
// summed dimension lie together in one 32-bit word, which is what AVX512-BF16 multiplies.
#pragma once

#include <cstdint>
#include <vector>

#include "keel/tensors/panel_product.h"
#include "keel/tensors/row_kernels.h"

namespace keel {

constexpr int64_t kPagePositions = 16;  // positions of one page of the cache

/// Elements behind which rows and heads are filled with zeros: whole vectors at every level.
constexpr int64_t kPadding = 16;
constexpr int64_t padded(int64_t elements) {
  return (elements + kPadding - 1) / kPadding * kPadding;
}

/// One query's heads that share a key head, against a prompt that samples share and what stands behind it.
/// Sums run over blocks as forest attention's do (forest_attention_blocks): a row has the trainer's bits.
template <class T>
struct PagedAttention {
  const T* q = nullptr;         // (group, head), rotated; the scores are scaled by `scale`
  int64_t group = 0, head = 0;  // head: padded
  float scale = 1;
  const T *keys = nullptr, *values = nullptr;  // of page 0, this layer and key head
  int64_t page_stride = 0;                     // elements from one page to the next
  const int32_t* pages = nullptr;
  int64_t prefix = 0, own = 0;  // positions that are seen; each part begins a page
  float* scores = nullptr;      // scratch (group, slots)
  T* weights = nullptr;         // the same
  int64_t slots = 0;            // at least those of both parts' pages
  T* out = nullptr;             // (group, out_stride)
  int64_t out_stride = 0;
};

/// One row's softmax at 1 / temperature and a draw from it.
struct DrawRow {
  const float* logits = nullptr;
  int64_t count = 0;
  float inverse_temperature = 1;
  double u = 0;  // in (0, 1)
  bool greedy = false;
  float* sums = nullptr;  // scratch, one for each kDrawBlock logits
  int64_t given = -1;     // >= 0: the token whose log-probability is asked; nothing is drawn
};
struct Draw {
  int64_t token = 0;
  double logp = 0;
};

struct DecodeKernels {
  const char* level;
  PanelKernels<float> float_panels;
  PanelKernels<uint16_t> bfloat16_panels;
  void (*attend_float)(const PagedAttention<float>&);
  void (*attend_bfloat16)(const PagedAttention<uint16_t>&);
  void (*norm_float)(NormRow<float>&);
  void (*norm_bfloat16)(NormRow<uint16_t>&);
  void (*activate_float)(const ActivateRow<float, float>&);
  void (*activate_bfloat16)(const ActivateRow<uint16_t, float>&);
  void (*rotate_float)(const RotateRow<float>&);
  void (*rotate_bfloat16)(const RotateRow<uint16_t>&);
  Draw (*draw)(const DrawRow&);

  void operator()(const PanelProduct<float>& work) const { float_panels.product(work); }
  void operator()(const PanelProduct<uint16_t>& work) const { bfloat16_panels.product(work); }
  void operator()(const PackRows<float, float>& work) const { float_panels.pack(work); }
  void operator()(const PackRows<uint16_t, float>& work) const { bfloat16_panels.pack(work); }
  void operator()(const PagedAttention<float>& work) const { attend_float(work); }
  void operator()(const PagedAttention<uint16_t>& work) const { attend_bfloat16(work); }
  void operator()(const RotateRow<float>& work) const { rotate_float(work); }
  void operator()(const RotateRow<uint16_t>& work) const { rotate_bfloat16(work); }
  void operator()(NormRow<float> work) const { norm_float(work); }
  void operator()(NormRow<uint16_t> work) const { norm_bfloat16(work); }
  void operator()(const ActivateRow<float, float>& work) const { activate_float(work); }
  void operator()(const ActivateRow<uint16_t, float>& work) const { activate_bfloat16(work); }
};

/// Those that this processor can run, the best first; the last is portable.
std::vector<const DecodeKernels*> decode_kernel_levels();

/// Where position `slot` of a page keeps the element `c` of its key: [head / pair][kPagePositions][pair]; of
/// its value: [kPagePositions / pair][head][pair].
template <class T>
constexpr int64_t key_place(int64_t slot, int64_t c) {
  return (c / kWord<T> * kPagePositions + slot) * kWord<T> + c % kWord<T>;
}
template <class T>
constexpr int64_t value_place(int64_t slot, int64_t c, int64_t head) {
  return (slot / kWord<T> * head + c) * kWord<T> + slot % kWord<T>;
}

}  // namespace keel
