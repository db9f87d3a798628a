// Attention over a forest: every row attends causally to its own segment and fully to the segment's
// ancestors.
//
// Two statements of one function. `forest_attention_in_rounds` is a few calls of variable-length attention
// merged by their log-sum-exp (varlen_attention.h); it works on every device and is what tests compare with.
// `forest_attention` is what models call: on the CPU a kernel of our own that walks the chain of ancestors in
// one pass, computes no masked half and has no call per range (see forest_attention_cpu.cpp for what that is
// worth).
#pragma once

#include "keel/tensors/varlen_attention.h"

namespace keel {

/// q: (N, heads, d), k and v: (N, kv_heads, d) with heads a multiple of kv_heads; float32, float64 or
/// bfloat16. Scores are multiplied by `scale`. Returns (N, heads, d); differentiable in q, k and v.
Tensor forest_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                        const std::vector<Segment>& segments, double scale);

Tensor forest_attention_in_rounds(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const std::vector<Segment>& segments, double scale);

/// True where forest_attention has a kernel of our own; elsewhere it runs in rounds, which a caller of many
/// layers makes once.
bool has_own_forest_attention(const Tensor& q);

}  // namespace keel
