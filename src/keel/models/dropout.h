// Dropout whose mask is a function of the data, not of the batch.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// Dropout of the embeddings and of what each block adds to the residual stream (Vaswani et al. 2017,
/// section 5.4). Masks are keyed by (seed, step, document, position, site), so packing and micro-batches
/// change nothing. Site 0 is the embedding; block l has the sites 2 l + 1, after its attention, and 2 l + 2,
/// after its MLP.
struct Dropout {
  double rate = 0;
  uint64_t seed = 0;
  uint32_t step = 0;
  std::vector<int64_t> documents;  // (N) the row's document in the data
};

/// x: (N, hidden). Zeroes each element with probability `rate` and scales the rest by 1 / (1 - rate).
/// Differentiable in x; the gradient takes the same way.
Tensor apply_dropout(const Tensor& x, const Dropout& dropout, const Tensor& positions, int64_t site);

}  // namespace keel
