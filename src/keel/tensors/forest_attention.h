// Attention over a forest: every row attends causally to its own segment and fully to the segment's
// ancestors.
//
// Two statements of one function. `forest_attention_by_pieces` runs ATen's flash attention on each piece and
// merges the pieces of a query range by their log-sum-exp; it works on every device and is what tests compare
// with. `forest_attention` is what models call: on the CPU a kernel of our own that walks the chain of
// ancestors in one pass, computes no masked half and has no call per piece (see forest_attention_cpu.cpp for
// what that is worth).
//
// Merge (Dao 2023, FlashAttention-2, section 2.3.1; Rabe and Staats 2021): with lse = log sum exp over all
// pieces, out = sum over pieces exp(lse_piece - lse) * out_piece. Backward: each piece's flash backward is
// given the merged out and lse, which makes its probabilities those of the whole row.
#pragma once

#include "keel/tensors/forest.h"

namespace keel {

/// q: (N, heads, d), k and v: (N, kv_heads, d) with heads a multiple of kv_heads; float32 or float64
/// (bfloat16 by pieces only). Scores are multiplied by `scale`. Returns (N, heads, d); differentiable in q, k
/// and v.
Tensor forest_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                        const std::vector<Segment>& segments, double scale);

Tensor forest_attention_by_pieces(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const std::vector<Segment>& segments, double scale);

}  // namespace keel
