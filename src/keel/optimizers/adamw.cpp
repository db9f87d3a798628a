#include "keel/optimizers/adamw.h"

#include <ATen/ops/_fused_adamw.h>

#include <cmath>

namespace keel {

AdamW::AdamW(std::vector<Parameter> parameters, AdamWOptions options) : options_(options) {
  for (Parameter& p : parameters)
    slots_.push_back({p, at::zeros_like(p.value), at::zeros_like(p.value),
                      at::zeros({}, p.value.options().dtype(at::kFloat).requires_grad(false))});
}

void AdamW::zero_grad() {
  for (Slot& slot : slots_) slot.parameter.value.mutable_grad() = Tensor();
}

double AdamW::clip(double max_norm) {
  double squares = 0;
  for (const Slot& slot : slots_) {
    const Tensor& grad = slot.parameter.value.grad();
    if (grad.defined()) squares += std::pow(grad.norm().item().toDouble(), 2);
  }
  const double norm = std::sqrt(squares), factor = max_norm / (norm + 1e-6);
  if (max_norm > 0 && factor < 1)
    for (const Slot& slot : slots_)
      if (slot.parameter.value.grad().defined()) slot.parameter.value.grad().mul_(factor);
  return norm;
}

void AdamW::step(double learning_rate) {
  at::NoGradGuard no_grad;
  for (const bool decays : {true, false}) {
    std::vector<Tensor> values, grads, means, squares, steps;
    for (Slot& slot : slots_) {
      if (slot.parameter.decays() != decays || !slot.parameter.value.grad().defined()) continue;
      slot.steps.add_(1);
      values.push_back(slot.parameter.value);
      grads.push_back(slot.parameter.value.grad());
      means.push_back(slot.mean);
      squares.push_back(slot.square);
      steps.push_back(slot.steps);
    }
    if (!values.empty())
      at::_fused_adamw_(values, grads, means, squares, {}, steps, learning_rate, options_.beta1,
                        options_.beta2, decays ? options_.weight_decay : 0.0, options_.epsilon,
                        /*amsgrad=*/false, /*maximize=*/false);
  }
}

void AdamW::visit(Archive& archive, const std::string& prefix) {
  for (Slot& slot : slots_) {
    archive(prefix + slot.parameter.name + ".mean", slot.mean);
    archive(prefix + slot.parameter.name + ".square", slot.square);
    archive(prefix + slot.parameter.name + ".steps", slot.steps);
  }
}

}  // namespace keel
