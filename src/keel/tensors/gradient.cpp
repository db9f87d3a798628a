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

Tensor passed_on(const Tensor& parameter, const Tensor& gradient) {
  if (!gradient.defined()) return {};
  if (!owns_gradient(parameter)) return gradient.to(parameter.scalar_type());
  at::NoGradGuard no_grad;
  Tensor& own = parameter.mutable_grad();
  if (own.defined())
    own.add_(gradient);
  else
    own = gradient.to(parameter.scalar_type());
  return {};
}

Tensor passed_on(const Tensor& parameter, const Tensor& dy, const Tensor& x) {
  if (!owns_gradient(parameter)) return at::mm(dy.t(), x).to(parameter.scalar_type());
  at::NoGradGuard no_grad;
  add_weight_gradient(own_gradient(parameter), dy, x);
  return {};
}

}  // namespace keel
