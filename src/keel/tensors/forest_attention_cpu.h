// The CPU kernel behind forest_attention: raw loops over one tree and one key head at a time.
#pragma once

#include "keel/tensors/forest.h"

namespace keel {

/// All tensors contiguous, of one dtype (float32 or float64). q, out: (N, heads, d); k, v: (N, kv_heads, d);
/// lse: (N, heads), the natural log of the sum of exponentials of the scaled scores.
void forest_attention_forward_cpu(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const std::vector<Segment>& segments, double scale, Tensor& out,
                                  Tensor& lse);

/// dq is written; dk and dv must be zero on entry. A tree is handled by one thread from first to last
/// segment, so the sums over its children have one order: the result does not depend on the number of
/// threads.
void forest_attention_backward_cpu(const Tensor& q, const Tensor& k, const Tensor& v,
                                   const std::vector<Segment>& segments, double scale, const Tensor& out,
                                   const Tensor& lse, const Tensor& grad, Tensor& dq, Tensor& dk, Tensor& dv);

}  // namespace keel
