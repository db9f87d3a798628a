// The raw passes of linear_logprob on the CPU: float32 logits of a few rows at a time, by small products with
// the packed head, and one vectorised pass over each row while it is in the cache.
#pragma once

#include <vector>

#include "keel/tensors/tensor.h"

namespace keel {

/// T: float or c10::BFloat16, the format of hidden (S, H) and of the head (V, H). Logits are float32 either
/// way.
template <class T>
class LogProbBlocks {
 public:
  /// weight: (V, H), contiguous; packed once here.
  LogProbBlocks(const T* weight, int64_t vocabulary, int64_t width, double temperature);

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

  int64_t vocabulary_, width_, padded_width_;
  float inverse_temperature_;
  std::vector<T> packed_;
};

}  // namespace keel
