// Attention over a forest as a few calls of variable-length flash attention, which is what accelerators have.
//
// Round 0 is causal: every segment against itself. Round d + 1 is full: every segment of depth d that has
// descendants is the keys of all of them. Depth-first order keeps a segment's descendants in one range behind
// it, so that a round is a list of query ranges, each against one range of keys, and no key stands in it
// twice however many branches read it. A forest of prompts and samples takes two calls.
//
// Rounds are merged by their log-sum-exp (Dao 2023, FlashAttention-2, section 2.3.1; Rabe and Staats 2021):
// with lse = log sum exp over all rounds, out = sum over rounds exp(lse_round - lse) * out_round. Backward:
// the kernel is given the merged out and lse, which makes its probabilities those of the whole row, and its
// gradients are added up.
#pragma once

#include "keel/tensors/forest.h"

namespace keel {

/// Query range i, rows [query_starts[i], query_starts[i + 1]) of the round's queries, against key range i.
struct AttentionRound {
  Tensor query_rows, key_rows;  // (Q), (K) int64: which rows of the forest they are; undefined: all of them
  std::vector<int32_t> query_starts, key_starts;  // (ranges + 1)
  Tensor device_query_starts, device_key_starts;  // the same, int32 on the device
  int64_t longest_query = 0, longest_key = 0;     // of a range
  bool causal = false;  // each query range is its key range, and a row sees none behind it
};

using AttentionRounds = std::vector<AttentionRound>;

/// The rounds of a forest with their index tensors on `device`. Made once for all layers of a pass.
std::shared_ptr<const AttentionRounds> attention_rounds(const std::vector<Segment>& segments,
                                                        at::Device device);

/// One round of attention. q: (Q, heads, d), k and v: (K, kv_heads, d), of one format.
class VarlenKernel {
 public:
  struct Result {
    Tensor out;  // (Q, heads, d), the format of q
    Tensor lse;  // (heads, Q) natural log of the sum of exp of the scaled scores; float32, or float64 for it
  };
  struct Gradients {
    Tensor q, k, v;
  };
  virtual ~VarlenKernel() = default;
  virtual Result forward(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionRound& round,
                         double scale) const = 0;
  /// out and lse are those of the whole rows, of which this round may be a part.
  virtual Gradients backward(const Tensor& grad, const Tensor& q, const Tensor& k, const Tensor& v,
                             const Tensor& out, const Tensor& lse, const AttentionRound& round,
                             double scale) const = 0;
};

/// Products and softmax of each range by ATen: every device and format.
const VarlenKernel& plain_varlen_kernel();
/// ATen's flash attention for CUDA: bfloat16 and float16, d a multiple of 8 and at most 256.
const VarlenKernel& flash_varlen_kernel();
/// The faster of those that take these queries (N, heads, d).
const VarlenKernel& varlen_kernel_for(const Tensor& q);

/// q: (N, heads, d), k and v: (N, kv_heads, d) with heads a multiple of kv_heads. Scores are multiplied by
/// `scale`. Returns (N, heads, d); differentiable in q, k and v.
Tensor attend_in_rounds(const Tensor& q, const Tensor& k, const Tensor& v,
                        const std::shared_ptr<const AttentionRounds>& rounds, double scale,
                        const VarlenKernel& kernel);

}  // namespace keel
