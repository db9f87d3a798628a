// Shape checks on the entry of public tensor functions, with both sides in the message.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// "(3, 4)".
std::string shape_text(at::IntArrayRef shape);

/// Throws std::invalid_argument "[where] expected <name> of shape (..), got (..)" unless the shapes agree; -1
/// fits any.
void check_shape(const char* where, const char* name, const Tensor& tensor, std::vector<int64_t> expected);

}  // namespace keel
