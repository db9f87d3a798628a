// The moving average of a model's weights over its steps (Polyak and Juditsky 1992), which is often better
// than the last weights; reward models among others (Ramé et al. 2024, "WARM").
#pragma once

#include "keel/optimizers/archive.h"
#include "keel/tensors/parameter.h"

namespace keel {

class WeightAverage {
 public:
  /// The weights of k steps ago count decay^k, and all weights together 1, from the first step on. A decay of
  /// 0 keeps nothing.
  WeightAverage(std::vector<Parameter> parameters, double decay);

  /// Takes the weights as they are now; once after each step.
  void add();
  /// Puts the average in the place of the weights, and the weights in its place; a second call turns it back.
  void exchange();
  void visit(Archive& archive, const std::string& prefix);

 private:
  struct Slot {
    Parameter parameter;
    Tensor average;
  };
  std::vector<Slot> slots_;
  double decay_, weight_ = 0;  // weight_: 1 - decay^steps
};

}  // namespace keel
