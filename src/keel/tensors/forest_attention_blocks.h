// Attention over a forest in blocks of 64 rows and 64 keys, with matrix products for scores, outputs and
// gradients: what training and scoring run on the CPU in float32 and bfloat16.
//
// Forward: the online softmax of Dao et al. 2022 (FlashAttention, algorithm 1). Backward: Dao 2023
// (FlashAttention-2, algorithm 2). The keys of a segment's chain of ancestors are packed once for the whole
// tree and read by every branch; the masked half of a segment is skipped block by block.
#pragma once

#include "keel/tensors/forest.h"

namespace keel {

/// Shapes and strides (elements from one token to the next) of one call. Heads lie side by side in a token.
struct AttentionShape {
  int64_t heads = 0, kv_heads = 0, head_size = 0;
  int64_t q_stride = 0, k_stride = 0, v_stride = 0, out_stride = 0;
  double scale = 1;
};

/// T: float or c10::BFloat16. lse: (rows, heads) float32, natural logarithms.
template <class T>
void forest_attention_forward_blocks(const AttentionShape& shape, const std::vector<Segment>& segments,
                                     const T* q, const T* k, const T* v, T* out, float* lse);

/// dq, dk, dv have the strides of q, k, v and are written, not added to. A tree and key head belong to one
/// thread from first to last segment, so sums over branches have one order whatever the number of threads.
template <class T>
void forest_attention_backward_blocks(const AttentionShape& shape, const std::vector<Segment>& segments,
                                      const T* q, const T* k, const T* v, const T* out, const float* lse,
                                      const T* grad, T* dq, T* dk, T* dv);

}  // namespace keel
