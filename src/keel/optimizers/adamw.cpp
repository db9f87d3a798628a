#include "keel/optimizers/adamw.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "keel/base/error.h"
#include "keel/base/random.h"
#include "keel/tensors/row_kernels.h"

namespace keel {
namespace {

bool by_kernel(const Tensor& value) {
  return value.is_cpu() && value.scalar_type() == at::kFloat && value.is_contiguous();
}

// The order of summation does not depend on the number of threads.
double sum_of_squares(const Tensor& x) {
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

// Of what ATen steps, with one wait for the device.
double sum_of_squares(const std::vector<Tensor>& tensors) {
  if (tensors.empty()) return 0;
  return at::stack(at::_foreach_norm(tensors)).to(at::kDouble).square().sum().item().toDouble();
}

}  // namespace

AdamW::AdamW(std::vector<Parameter> parameters, AdamWOptions options) : options_(options) {
  for (Parameter& p : parameters) {
    const auto like = p.value.options().requires_grad(false);
    if (options.moments == Moments::bfloat16 && !by_kernel(p.value))
      throw UsageError("--moments", "expected float32 for parameters that are not float32 on the CPU (" +
                                        p.name + "), got bfloat16");
    const auto moment = options.moments == Moments::bfloat16 ? like.dtype(at::kBFloat16) : like;
    slots_.push_back({p, at::zeros(p.value.sizes(), moment), at::zeros(p.value.sizes(), moment),
                      at::zeros({}, like.dtype(at::kFloat))});
  }
}

void AdamW::zero_grad() {
  for (Slot& slot : slots_) slot.parameter.value.mutable_grad() = Tensor();
}

double AdamW::clip(double max_norm) {
  double squares = 0;
  std::vector<Tensor> others;
  for (const Slot& slot : slots_) {
    const Tensor& grad = slot.parameter.value.grad();
    if (!grad.defined()) continue;
    if (by_kernel(grad))
      squares += sum_of_squares(grad);
    else
      others.push_back(grad);
  }
  squares += sum_of_squares(others);
  const double norm = std::sqrt(squares), factor = max_norm / (norm + 1e-6);
  clip_factor_ = max_norm > 0 && factor < 1 ? factor : 1;
  return norm;
}

void AdamW::step(double learning_rate) {
  at::NoGradGuard no_grad;
  for (const bool decays : {true, false}) {
    std::vector<Slot*> others;
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (slot.parameter.decays() != decays || !slot.parameter.value.grad().defined()) continue;
      if (!by_kernel(slot.parameter.value))
        others.push_back(&slot);
      else if (options_.moments == Moments::bfloat16)
        step_by_kernel<uint16_t>(slot, static_cast<uint32_t>(i), learning_rate);
      else
        step_by_kernel<float>(slot, static_cast<uint32_t>(i), learning_rate);
    }
    if (!others.empty()) step_by_aten(others, decays, learning_rate);
  }
  clip_factor_ = 1;
}

template <class T>  // of the moments: float, or bfloat16 as uint16_t
void AdamW::step_by_kernel(Slot& slot, uint32_t index, double learning_rate) const {
  slot.steps.add_(1);
  const double steps = slot.steps.item().toDouble();
  AdamWRange<T> whole;
  whole.clip = static_cast<float>(clip_factor_);
  whole.beta1 = static_cast<float>(options_.beta1);
  whole.beta2 = static_cast<float>(options_.beta2);
  whole.keep =
      static_cast<float>(1 - (slot.parameter.decays() ? learning_rate * options_.weight_decay : 0.0));
  whole.step_size = static_cast<float>(learning_rate / (1 - std::pow(options_.beta1, steps)));
  whole.root_correction = static_cast<float>(std::sqrt(1 - std::pow(options_.beta2, steps)));
  whole.epsilon = static_cast<float>(options_.epsilon);
  const auto draws =
      philox({options_.seed, Stream::moments, static_cast<uint32_t>(steps), index, options_.optimizer});
  whole.keys[0] = draws[0], whole.keys[1] = draws[1];
  const Tensor grad = slot.parameter.value.grad().contiguous();
  float* value = slot.parameter.value.data_ptr<float>();
  T *mean = static_cast<T*>(slot.mean.data_ptr()), *square = static_cast<T*>(slot.square.data_ptr());
  const float* g = grad.const_data_ptr<float>();
  at::parallel_for(0, grad.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
    AdamWRange<T> part = whole;
    part.value = value + begin, part.mean = mean + begin, part.square = square + begin, part.grad = g + begin;
    part.count = end - begin;
    part.first = static_cast<uint32_t>(begin);
    row_kernels().of(T()).adamw(part);
  });
}

void AdamW::step_by_aten(std::vector<Slot*>& slots, bool decays, double learning_rate) const {
  std::vector<Tensor> values, grads, means, squares, steps;
  for (Slot* slot : slots) {
    values.push_back(slot->parameter.value);
    grads.push_back(slot->parameter.value.grad());
    means.push_back(slot->mean);
    squares.push_back(slot->square);
    steps.push_back(slot->steps);
  }
  if (clip_factor_ != 1) grads = at::_foreach_mul(grads, clip_factor_);
  at::_foreach_add_(steps, 1);
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
