// The rate at which this machine multiplies matrices when it does nothing else: what a stage's own rate is a
// share of.
#pragma once

#include "keel/tensors/precision.h"

namespace keel {

/// Operations a second of the product of two 1,024 x 1,024 matrices in this format on the program's threads,
/// ours (panels.h) or libtorch's, whichever is faster, or of libtorch's of 8,192 x 8,192 on another device:
/// the best of a few, measured at the first call (some hundredths of a second) and kept.
double matrix_rate(Precision precision, at::Device device);

}  // namespace keel
