#include "keel/optimizers/adamw.h"

#include <ATen/ops/_fused_adamw.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "keel/tensors/row_kernels.h"

namespace keel {
namespace {

bool by_kernel(const Tensor& value) {
  return value.is_cpu() && value.scalar_type() == at::kFloat && value.is_contiguous();
}

// The order of summation does not depend on the number of threads.
double sum_of_squares(const Tensor& x) {
  if (!by_kernel(x)) return std::pow(x.norm().item().toDouble(), 2);
  constexpr int64_t kRange = 1 << 16;
  const float* values = x.const_data_ptr<float>();
  std::vector<double> parts(static_cast<size_t>((x.numel() + kRange - 1) / kRange));
  at::parallel_for(0, static_cast<int64_t>(parts.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      parts[static_cast<size_t>(i)] =
          row_kernels().squares(values + i * kRange, std::min(kRange, x.numel() - i * kRange));
  });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

}  // namespace

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
    if (grad.defined()) squares += sum_of_squares(grad);
  }
  const double norm = std::sqrt(squares), factor = max_norm / (norm + 1e-6);
  clip_factor_ = max_norm > 0 && factor < 1 ? factor : 1;
  return norm;
}

void AdamW::step(double learning_rate) {
  at::NoGradGuard no_grad;
  for (const bool decays : {true, false}) {
    std::vector<Slot*> others;
    for (Slot& slot : slots_) {
      if (slot.parameter.decays() != decays || !slot.parameter.value.grad().defined()) continue;
      slot.steps.add_(1);
      if (by_kernel(slot.parameter.value))
        step_by_kernel(slot, learning_rate);
      else
        others.push_back(&slot);
    }
    if (!others.empty()) step_by_aten(others, decays, learning_rate);
  }
  clip_factor_ = 1;
}

void AdamW::step_by_kernel(Slot& slot, double learning_rate) const {
  const double steps = slot.steps.item().toDouble();
  AdamWRange whole;
  whole.clip = static_cast<float>(clip_factor_);
  whole.beta1 = static_cast<float>(options_.beta1);
  whole.beta2 = static_cast<float>(options_.beta2);
  whole.keep =
      static_cast<float>(1 - (slot.parameter.decays() ? learning_rate * options_.weight_decay : 0.0));
  whole.step_size = static_cast<float>(learning_rate / (1 - std::pow(options_.beta1, steps)));
  whole.root_correction = static_cast<float>(std::sqrt(1 - std::pow(options_.beta2, steps)));
  whole.epsilon = static_cast<float>(options_.epsilon);
  const Tensor grad = slot.parameter.value.grad().contiguous();
  float *value = slot.parameter.value.data_ptr<float>(), *mean = slot.mean.data_ptr<float>(),
        *square = slot.square.data_ptr<float>();
  const float* g = grad.const_data_ptr<float>();
  at::parallel_for(0, grad.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
    AdamWRange part = whole;
    part.value = value + begin, part.mean = mean + begin, part.square = square + begin, part.grad = g + begin;
    part.count = end - begin;
    row_kernels().adamw(part);
  });
}

void AdamW::step_by_aten(std::vector<Slot*>& slots, bool decays, double learning_rate) const {
  std::vector<Tensor> values, grads, means, squares, steps;
  for (Slot* slot : slots) {
    values.push_back(slot->parameter.value);
    grads.push_back(clip_factor_ == 1 ? slot->parameter.value.grad()
                                      : slot->parameter.value.grad() * clip_factor_);
    means.push_back(slot->mean);
    squares.push_back(slot->square);
    steps.push_back(slot->steps);
  }
  at::_fused_adamw_(values, grads, means, squares, {}, steps, learning_rate, options_.beta1, options_.beta2,
                    decays ? options_.weight_decay : 0.0, options_.epsilon, /*amsgrad=*/false,
                    /*maximize=*/false);
}

void AdamW::visit(Archive& archive, const std::string& prefix) {
  for (Slot& slot : slots_) {
    archive(prefix + slot.parameter.name + ".mean", slot.mean);
    archive(prefix + slot.parameter.name + ".square", slot.square);
    archive(prefix + slot.parameter.name + ".steps", slot.steps);
  }
}

}  // namespace keel
