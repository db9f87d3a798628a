// The raw passes of linear_logprob on the CPU: float32 logits of a few rows at a time, by products with the
// packed head, and one vectorised pass over each row while it is in the cache.
#pragma once

#include "keel/tensors/panels.h"

namespace keel {

/// T: float or c10::BFloat16, the format of hidden (S, H) and of the head (V, H). Logits are float32 either
/// way.
template <class T>
class LogProbBlocks {
 public:
  /// weight: (V, H), contiguous, float32 or T; packed once here.
  LogProbBlocks(const Tensor& weight, double temperature);

  /// logp, entropy, lse: (rows).
  void forward(const T* hidden, const int64_t* tokens, int64_t rows, float* logp, float* entropy,
               float* lse) const;
  /// dlogits (rows, V) of dlogp · logp + dentropy · entropy; dentropy may be null.
  void backward(const T* hidden, const int64_t* tokens, int64_t rows, const float* entropy, const float* lse,
                const float* dlogp, const float* dentropy, T* dlogits) const;
  /// Both at once, when dlogp is known before.
  void forward_backward(const T* hidden, const int64_t* tokens, int64_t rows, const float* dlogp, float* logp,
                        float* entropy, float* lse, T* dlogits) const;

 private:
  template <class Row>
  void for_each_row(const T* hidden, int64_t rows, const Row& row) const;

  int64_t vocabulary_, width_;
  float inverse_temperature_;
  Panels<T> panels_;
};

}  // namespace keel
