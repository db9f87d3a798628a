#include "keel/optimizers/weight_average.h"

namespace keel {

WeightAverage::WeightAverage(std::vector<Parameter> parameters, double decay) : decay_(decay) {
  if (decay_ <= 0) return;
  for (Parameter& parameter : parameters)
    slots_.push_back({parameter, at::zeros_like(parameter.value.detach())});
}

void WeightAverage::add() {
  at::NoGradGuard no_grad;
  weight_ = decay_ * weight_ + (1 - decay_);
  for (Slot& slot : slots_) slot.average.lerp_(slot.parameter.value, (1 - decay_) / weight_);
}

void WeightAverage::exchange() {
  at::NoGradGuard no_grad;
  for (Slot& slot : slots_) {
    const Tensor kept = slot.parameter.value.detach().clone();
    slot.parameter.value.copy_(slot.average);
    slot.average.copy_(kept);
  }
}

void WeightAverage::visit(Archive& archive, const std::string& prefix) {
  if (slots_.empty()) return;
  archive(prefix + "weight", weight_);
  for (Slot& slot : slots_) archive(prefix + slot.parameter.name, slot.average);
}

}  // namespace keel
