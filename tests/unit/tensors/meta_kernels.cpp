// The shape functions of a few operators for the device `meta`. Torch has them in Python alone, and the tests
// over tensors without values need them here: the result's shape, after a look that nothing comes from
// elsewhere.
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "keel/tensors/tensor.h"

namespace keel {
namespace {

void on_meta(std::initializer_list<at::TensorList> lists) {
  for (const at::TensorList& list : lists)
    for (const Tensor& tensor : list)
      TORCH_CHECK(!tensor.defined() || tensor.is_meta() || tensor.dim() == 0,
                  "expected all tensors on meta, got one on ", tensor.device());
}

Tensor index_select(const Tensor& self, int64_t dimension, const Tensor& index) {
  on_meta({self, index});
  std::vector<int64_t> sizes = self.sizes().vec();
  sizes[static_cast<size_t>(at::maybe_wrap_dim(dimension, self.dim()))] = index.numel();
  return at::empty(sizes, self.options());
}

Tensor abs(const Tensor& self) {
  on_meta({self});
  return at::empty_like(self);
}

Tensor& logical_and(const Tensor& self, const Tensor& other, Tensor& out) {
  on_meta({self, other, out});
  return out;
}

Tensor where(const Tensor& condition, const Tensor& self, const Tensor& other) {
  on_meta({condition, self, other});
  return at::empty_like(self + other);
}

std::tuple<Tensor, Tensor, Tensor> native_layer_norm(const Tensor& input, c10::SymIntArrayRef,
                                                     const std::optional<Tensor>& weight,
                                                     const std::optional<Tensor>& bias, double) {
  on_meta({input, weight.value_or(Tensor()), bias.value_or(Tensor())});
  const Tensor statistic = at::empty({input.size(0), 1}, input.options());
  return {at::empty_like(input), statistic, at::empty_like(statistic)};
}

std::tuple<Tensor, Tensor, Tensor> native_layer_norm_backward(
    const Tensor& grad, const Tensor& input, c10::SymIntArrayRef, const Tensor& mean, const Tensor& deviation,
    const std::optional<Tensor>& weight, const std::optional<Tensor>& bias, std::array<bool, 3>) {
  on_meta({grad, input, mean, deviation, weight.value_or(Tensor()), bias.value_or(Tensor())});
  return {at::empty_like(input), weight ? at::empty_like(*weight) : Tensor(),
          bias ? at::empty_like(*bias) : Tensor()};
}

std::tuple<Tensor, Tensor> log_sigmoid_forward(const Tensor& self) {
  on_meta({self});
  return {at::empty_like(self), at::empty({0}, self.options())};
}

Tensor log_sigmoid_backward(const Tensor& grad, const Tensor& self, const Tensor& buffer) {
  on_meta({grad, self, buffer});
  return at::empty_like(grad);
}

void fused_adamw(at::TensorList self, at::TensorList grads, at::TensorList means, at::TensorList squares,
                 at::TensorList largest, at::TensorList steps, double, double, double, double, double, bool,
                 bool, const std::optional<Tensor>& scale, const std::optional<Tensor>& infinite) {
  on_meta(
      {self, grads, means, squares, largest, steps, scale.value_or(Tensor()), infinite.value_or(Tensor())});
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("index_select", &index_select);
  library.impl("abs", &abs);
  library.impl("logical_and.out", &logical_and);
  library.impl("where.self", &where);
  library.impl("native_layer_norm", &native_layer_norm);
  library.impl("native_layer_norm_backward", &native_layer_norm_backward);
  library.impl("log_sigmoid_forward", &log_sigmoid_forward);
  library.impl("log_sigmoid_backward", &log_sigmoid_backward);
  library.impl("_fused_adamw_", &fused_adamw);
}

}  // namespace keel
