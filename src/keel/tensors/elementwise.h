// What stands between the matrix products of a block, each one pass over memory: norms with the residual sum
// before them, rotary positions, gated activations. Raw pointers, so that nothing is allocated or dispatched
// on the way.
//
// T is the format of what products read and write (float or c10::BFloat16); the residual stream, statistics
// and the gradients of norm weights are float32. The plain statements are ATen's operators, which the tests
// compare with.
#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

#include "keel/tensors/activation.h"

namespace keel {

enum class NormKind { rms, layer };

/// A norm over rows of `width`. bias is null for RMSNorm.
struct NormShape {
  NormKind kind = NormKind::rms;
  int64_t rows = 0, width = 0;
  float epsilon = 1e-6F;
  const float *weight = nullptr, *bias = nullptr;
};

/// sum = x + added (added null: sum = x, and may be x itself); normed = norm(sum) · weight (+ bias). Kept for
/// the way back: inverse (rows), 1 / root of the mean square or of the variance, and mean (rows; LayerNorm
/// only).
template <class T>
void norm_forward(const NormShape& shape, const float* x, const T* added, float* sum, T* normed,
                  float* inverse, float* mean);

/// dsum += gradient of the norm at `sum`, and dadded (or null) = dsum in T. dweight, dbias: (width) are added
/// to, in an order that the number of threads does not change.
template <class T>
void norm_backward(const NormShape& shape, const float* sum, const float* inverse, const float* mean,
                   const T* dnormed, float* dsum, T* dadded, float* dweight, float* dbias);

/// Heads side by side in a token, `stride` elements from one token to the next.
struct RotaryShape {
  int64_t rows = 0, stride = 0, heads = 0, head_size = 0;
  const int64_t* positions = nullptr;                // (rows)
  const float *cosines = nullptr, *sines = nullptr;  // (positions, head_size / 2)
};

/// Turns the two halves of each head together, in place (Su et al. 2021, equation 34); backwards with
/// `inverse`.
template <class T>
void rotate_in_place(const RotaryShape& shape, T* x, bool inverse);

/// inner (rows, width) = act(x); `gated`: act(gate) · up, with gate and up the two halves of each row of x
/// (rows, 2 width) (Shazeer 2020).
template <class T>
void activate_forward(Activation activation, bool gated, int64_t rows, int64_t width, const T* x, T* inner);
/// dgate_up (rows, 2 width) of silu(gate) · up.
template <class T>
void gated_silu_backward(int64_t rows, int64_t width, const T* gate_up, const T* dinner, T* dgate_up);

/// y = x + added, `count` elements; y may be x.
template <class T>
void add_rows(int64_t count, const float* x, const T* added, float* y);

}  // namespace keel
