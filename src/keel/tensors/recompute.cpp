#include "keel/tensors/recompute.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace keel {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Work = std::function<Tensor(const Tensor&)>;

struct WorkHolder : torch::CustomClassHolder {
  explicit WorkHolder(Work w) : work(std::move(w)) {}
  Work work;
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Work& work) {
    context->save_for_backward({x});
    context->saved_data["work"] = c10::IValue::make_capsule(c10::make_intrusive<WorkHolder>(work));
    at::NoGradGuard no_grad;
    return work(x);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto holder =
        c10::static_intrusive_pointer_cast<WorkHolder>(context->saved_data["work"].toCapsule());
    const Tensor x = context->get_saved_variables()[0].detach().requires_grad_(true);
    at::AutoGradMode with_grad(true);
    torch::autograd::backward({holder->work(x)}, {grads[0]});
    return {x.grad(), Tensor()};
  }
};

}  // namespace

Tensor recomputed(const Work& f, const Tensor& x) {
  return at::GradMode::is_enabled() ? Recomputed::apply(x, f) : f(x);
}

}  // namespace keel
