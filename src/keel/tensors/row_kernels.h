// The inner loops of training: what stands between matrix products, one row or block at a time, compiled once
// for each instruction set (kernels_*.cpp) and chosen at run time. Raw pointers only; the callers
// (elementwise, forest_attention_blocks, linear_logprob, adamw) split the rows over threads.
//
// T is float, or bfloat16 as uint16_t; arithmetic is float32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "keel/tensors/activation.h"
#include "keel/tensors/panel_product.h"

namespace keel {

/// Logits whose weights are summed before a draw walks over them.
constexpr int64_t kDrawBlock = 64;
/// Rows and keys of a block of attention.
constexpr int64_t kAttentionBlock = 64;
/// The log-sum-exp of a row that is not there, so large that its probabilities are zero.
constexpr float kNoRow = 1e30F;

template <class T>
struct NormRow {
  bool centered = false;  // LayerNorm
  int64_t width = 0;
  float epsilon = 0;
  const float *weight = nullptr, *bias = nullptr, *x = nullptr;
  const T* added = nullptr;  // or null
  float* sum = nullptr;      // x + added
  T* normed = nullptr;
  float inverse = 0, mean = 0;  // found
};

/// dsum += the norm's gradient; dadded (or null) = dsum; dweight and dbias (or null) are added to.
template <class T>
struct NormRowBack {
  bool centered = false;
  int64_t width = 0;
  const float *weight = nullptr, *sum = nullptr;
  const T* dnormed = nullptr;
  float* dsum = nullptr;
  T* dadded = nullptr;
  float *dweight = nullptr, *dbias = nullptr;
  float inverse = 0, mean = 0;
};

/// The two halves of each head turn together (Su et al. 2021, equation 34); sign −1 turns back.
template <class T>
struct RotateRow {
  T* x = nullptr;  // heads side by side
  int64_t heads = 0, head_size = 0;
  const float *cosines = nullptr, *sines = nullptr;  // (head_size / 2)
  float sign = 1;
};

/// out = act(x) · up, or act(x) where up is null. What a projection gave is rounded to T first, as it is
/// kept.
template <class T, class From>
struct ActivateRow {
  Activation activation = Activation::silu;
  const From *x = nullptr, *up = nullptr;
  int64_t width = 0;
  T* out = nullptr;
};

/// The gradient of silu(gate) · up with respect to gate_up (2 width).
template <class T>
struct GatedRowBack {
  int64_t width = 0;
  const T *gate_up = nullptr, *dinner = nullptr;
  T* dgate_up = nullptr;
};

/// One block of scores on its way to probabilities: raises each row's highest score to this block's, rescales
/// what was summed before, and adds this block's sum. `highest` is an exponent of two, an integer
/// (vectors.h).
template <class T>
struct SoftmaxBlock {
  const float* scores = nullptr;  // (rows, kAttentionBlock)
  T* weights = nullptr;           // the same: 2^(scale log2(e) score − highest), zero where masked
  float *out = nullptr, *highest = nullptr, *sum = nullptr;
  int64_t rows = 0, keys = 0, width = 0;
  bool diagonal = false, first = false;
  float scale = 1;
};

/// Scores and their gradients of one block, transposed: a row a key, a column a query. P = exp(scale S −
/// lse), dS = scale P (dP − along).
template <class T>
struct GradientBlock {
  const float *scores = nullptr, *dweights = nullptr;  // (rows, kAttentionBlock): K Qᵀ and V dOᵀ
  T *weights = nullptr, *dscores = nullptr;            // the same
  T* dscores_packed =
      nullptr;  // bfloat16: [rows / 2][kAttentionBlock][2], as a product's right side; float: unused
  const float *lse = nullptr, *along = nullptr;  // (kAttentionBlock) of the queries; along: out · grad
  int64_t rows = 0, keys = 0;
  bool diagonal = false;
  float scale = 1;
};

/// One head of up to kAttentionBlock rows in the forms that products want, zeros behind the last row and
/// column. Forms that are null are not made; `copy` always is.
template <class T>
struct PackBlock {
  const T* x = nullptr;
  int64_t stride = 0, rows = 0, columns = 0, width = 0;  // width: even for bfloat16
  T* copy = nullptr;                                     // (kAttentionBlock, width)
  T* by_rows = nullptr;     // bfloat16: [kAttentionBlock / 2][width][2]; float: as copy, not made
  T* by_columns = nullptr;  // [width / pair][kAttentionBlock][pair]
  T* transposed = nullptr;  // (width, kAttentionBlock)
};

/// y = x · factor.
template <class T>
struct ScaleRow {
  const float* x = nullptr;
  float factor = 1;
  T* y = nullptr;
  int64_t width = 0;
};

/// log softmax(logits / temperature)[token] and the entropy of that softmax, nats.
struct LogProbRow {
  const float* logits = nullptr;
  int64_t count = 0, token = 0;
  float inverse_temperature = 1;
  float logp = 0, entropy = 0, lse = 0;  // found
};
/// The gradient of dlogp · logp + dentropy · entropy with respect to the logits, from the lse and entropy
/// found.
template <class T>
struct LogProbRowBack {
  const float* logits = nullptr;
  int64_t count = 0, token = 0;
  float inverse_temperature = 1, lse = 0, entropy = 0, dlogp = 0, dentropy = 0;
  T* dlogits = nullptr;
};

/// y = x + added.
template <class T>
struct AddRow {
  const float* x = nullptr;
  const T* added = nullptr;
  float* y = nullptr;
  int64_t width = 0;
};

/// One step of AdamW (Loshchilov and Hutter 2019, algorithm 2) on a range of a tensor; the gradient is scaled
/// by `clip` on its way. T: the moments' format.
///
/// Moments in bfloat16 are rounded stochastically: up with the probability that makes the mean exact (Gupta
/// et al. 2015, "Deep Learning with Limited Numerical Precision", section 3). To the nearest, the second
/// moment would stand still: (1 − β2) g² is lost below half an ulp, which is 2⁻⁹ of the moment at least. The
/// step itself takes the moments as they are before they are rounded. The random bits are a function of
/// `keys` and an element's place, and no product is fused with a sum: every level gives the same bits,
/// however a tensor is split into ranges.
template <class T>
struct AdamWRange {
  float* value = nullptr;
  T *mean = nullptr, *square = nullptr;
  const float* grad = nullptr;
  int64_t count = 0;
  float clip = 1, beta1 = 0, beta2 = 0, keep = 1;         // keep: 1 − learning rate · weight decay
  float step_size = 0, root_correction = 1, epsilon = 0;  // learning rate / (1 − β1^t), √(1 − β2^t)
  uint32_t first = 0, keys[2] = {};  // bfloat16: the range's first element in its tensor; draws of the step
};

template <class T>
struct RowKernelsOf {
  void (*norm)(NormRow<T>&);
  void (*norm_back)(const NormRowBack<T>&);
  void (*rotate)(const RotateRow<T>&);
  void (*activate)(const ActivateRow<T, T>&);
  void (*gated_back)(const GatedRowBack<T>&);
  void (*softmax_block)(const SoftmaxBlock<T>&);
  void (*gradient_block)(const GradientBlock<T>&);
  void (*logprob_back)(const LogProbRowBack<T>&);
  void (*add)(const AddRow<T>&);
  void (*pack_block)(const PackBlock<T>&);
  void (*scale)(const ScaleRow<T>&);
  float (*dot)(const T* a, const T* b, int64_t width);
  void (*adamw)(const AdamWRange<T>&);  // T: of the moments
};

struct RowKernels {
  const char* level;
  RowKernelsOf<float> float32;
  RowKernelsOf<uint16_t> bfloat16;
  void (*logprob)(LogProbRow&);
  double (*squares)(const float* x, int64_t count);  // their sum
  PanelKernels<float> float_panels;
  PanelKernels<uint16_t> bfloat16_panels;

  const RowKernelsOf<float>& of(float) const { return float32; }
  const RowKernelsOf<uint16_t>& of(uint16_t) const { return bfloat16; }
  const PanelKernels<float>& panels(float) const { return float_panels; }
  const PanelKernels<uint16_t>& panels(uint16_t) const { return bfloat16_panels; }
};

/// Those that this processor can run, the best first; the last is portable.
std::vector<const RowKernels*> row_kernel_levels();
/// The best of them.
const RowKernels& row_kernels();

}  // namespace keel
