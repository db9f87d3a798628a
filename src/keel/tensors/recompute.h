// Memory for time (Chen et al. 2016, "Training deep nets with sublinear memory cost"): a function's
// activations are made a second time on the way back instead of being kept.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// f(x), of which only x is kept. The way back computes f again and adds to the gradients of what f reads
/// beside x, which must be leaves; so it serves backward() alone. x must need a gradient itself where any is
/// wanted. f is called twice and must do the same both times.
Tensor recomputed(const std::function<Tensor(const Tensor&)>& f, const Tensor& x);

}  // namespace keel
