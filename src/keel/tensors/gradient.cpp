#include "keel/tensors/gradient.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/mm.h>

#include "keel/tensors/weight_gradient.h"

namespace keel {

bool owns_gradient(const Tensor& parameter) {
  return parameter.is_leaf() && parameter.requires_grad();
}

Tensor& own_gradient(const Tensor& parameter) {
  Tensor& own = parameter.mutable_grad();
  if (!own.defined()) own = at::zeros_like(parameter.detach());
  return own;
}

Tensor passed_on(const Tensor& weight, const Tensor& dy, const Tensor& x) {
  if (!owns_gradient(weight)) return at::mm(dy.t(), x).to(weight.scalar_type());
  at::NoGradGuard no_grad;
  Tensor& own = weight.mutable_grad();
  const bool fresh = !own.defined();
  if (fresh) own = at::empty_like(weight.detach());
  add_weight_gradient(own, dy, x, fresh);
  return {};
}

}  // namespace keel
