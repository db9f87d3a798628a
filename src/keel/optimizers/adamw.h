// AdamW (Loshchilov and Hutter 2019, algorithm 2) over float32 or float64 masters, with decay groups: tensors
// of two or more dimensions decay, norms and biases do not (Parameter::decays). Float32 on the CPU is one
// pass of our own over value, moments and gradient, the clipping in it; elsewhere it is ATen's fused step.
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
  /// The global L2 norm of all gradients; when it is above `max_norm` (> 0), the next step scales them to it.
  /// torch's clip_grad_norm_: the factor is max_norm / (norm + 1e-6), at most 1.
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
  void step_by_kernel(Slot& slot, double learning_rate) const;
  void step_by_aten(std::vector<Slot*>& slots, bool decays, double learning_rate) const;

  std::vector<Slot> slots_;
  AdamWOptions options_;
  double clip_factor_ = 1;  // of the next step
};

}  // namespace keel
