// Dropout whose mask is a function of the data, not of the batch.
#pragma once

#include "keel/models/decoder.h"

namespace keel {

/// x: (N, hidden). Zeroes each element with probability `rate` and scales the rest by 1 / (1 - rate). The
/// mask of a row depends on (seed, step, its document, its position, site) alone. Differentiable in x.
Tensor apply_dropout(const Tensor& x, const Dropout& dropout, const Tensor& positions, int64_t site);

}  // namespace keel
