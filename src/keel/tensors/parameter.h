// What is trained: shared by models, which hold it, and optimizers, which change it.
#pragma once

#include "keel/tensors/tensor.h"

namespace keel {

/// A named tensor of a model. Those of two or more dimensions decay under weight decay; norms and biases do
/// not.
struct Parameter {
  std::string name;
  Tensor value;
  bool decays() const { return value.dim() >= 2; }
};

}  // namespace keel
