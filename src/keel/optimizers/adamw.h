// AdamW (Loshchilov and Hutter 2019, algorithm 2) over float32 or float64 masters, with decay groups: tensors
// of two or more dimensions decay, norms and biases do not (Parameter::decays). Float32 on the CPU is one
// pass of our own over value, moments and gradient, the clipping in it; elsewhere it is ATen's fused step.
//
// The moments may be bfloat16, rounded stochastically (AdamWRange): two bytes a parameter each instead of
// four. How they are rounded is keyed by (seed, optimizer, parameter, step, element), so it depends neither
// on threads nor on where a run was stopped.
#pragma once

#include "keel/optimizers/archive.h"
#include "keel/tensors/parameter.h"

namespace keel {

enum class Moments { float32, bfloat16 };

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.0;
  // float32: as the parameters, which may be float64. bfloat16: of float32 parameters on the CPU alone.
  Moments moments = Moments::float32;
  uint64_t seed = 0;       // of the rounding
  uint32_t optimizer = 0;  // keys it apart where several optimizers learn
};

class AdamW {
 public:
  /// Errors: UsageError at --moments for bfloat16 moments of other parameters than float32 on the CPU.
  AdamW(std::vector<Parameter> parameters, AdamWOptions options);

  void zero_grad();
  /// The global L2 norm of all gradients, the one thing that a step waits for on a device; when it is above
  /// `max_norm` (> 0), the next step scales them to it. torch's clip_grad_norm_: the factor is max_norm /
  /// (norm + 1e-6), at most 1.
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
  template <class T>
  void step_by_kernel(Slot& slot, uint32_t index, double learning_rate) const;
  void step_by_aten(std::vector<Slot*>& slots, bool decays, double learning_rate) const;

  std::vector<Slot> slots_;
  AdamWOptions options_;
  double clip_factor_ = 1;  // of the next step
};

}  // namespace keel
