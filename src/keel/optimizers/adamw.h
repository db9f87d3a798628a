// AdamW (Loshchilov and Hutter 2019, algorithm 2) over float32 or float64 masters, by ATen's fused step, with
// decay groups: tensors of two or more dimensions decay, norms and biases do not (Parameter::decays).
#pragma once

#include "keel/optimizers/archive.h"
#include "keel/tensors/parameter.h"

namespace keel {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.0;
};

class AdamW {
 public:
  AdamW(std::vector<Parameter> parameters, AdamWOptions options);

  void zero_grad();
  /// The global L2 norm of all gradients; when it is above `max_norm` (> 0), scales them to it. torch's
  /// clip_grad_norm_: the factor is max_norm / (norm + 1e-6), at most 1.
  double clip(double max_norm);
  /// One update with this learning rate. A parameter without gradient is left as it is.
  void step(double learning_rate);
  void visit(Archive& archive, const std::string& prefix);

 private:
  struct Slot {
    Parameter parameter;
    Tensor mean, square;  // first and second moments
    Tensor steps;         // () float32: what ATen's fused step counts
  };
  std::vector<Slot> slots_;
  AdamWOptions options_;
};

}  // namespace keel
