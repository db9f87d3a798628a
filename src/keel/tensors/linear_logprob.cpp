#include "keel/tensors/linear_logprob.h"

#include <ATen/ops/log_softmax.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "keel/tensors/checks.h"

namespace keel {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

int64_t rows_in_chunk(int64_t vocabulary, int64_t chunk_elements) {
  return std::max<int64_t>(16, chunk_elements / vocabulary);
}

at::ScalarType softmax_type(const Tensor& hidden) {
  return hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// log softmax(hidden weightᵀ / temperature), (rows, V).
Tensor chunk_log_softmax(const Tensor& hidden, const Tensor& weight, double temperature) {
  Tensor logits = hidden.matmul(weight.t()).to(softmax_type(hidden));
  if (temperature != 1.0) logits.div_(temperature);
  return at::log_softmax(logits, -1);
}

Tensor entropy_of(const Tensor& log_p) {
  return (log_p.exp().mul_(log_p)).sum(-1).neg_();
}

// With p the softmax and z the scaled logits: d logp / dz = onehot - p, d entropy / dz = -p (log p +
// entropy).
Tensor logit_gradient(const Tensor& log_p, const Tensor& tokens, const Tensor& entropy, const Tensor& dlogp,
                      const Tensor& dentropy) {
  const Tensor p = log_p.exp();
  Tensor gradient = (log_p + entropy.unsqueeze(-1)).mul_(p).mul_(dentropy.neg().unsqueeze(-1));
  gradient.sub_(p * dlogp.unsqueeze(-1));
  gradient.scatter_add_(1, tokens.unsqueeze(-1), dlogp.unsqueeze(-1));
  return gradient;
}

struct LinearLogProb : Function<LinearLogProb> {
  static variable_list forward(AutogradContext* context, const Tensor& hidden, const Tensor& weight,
                               const Tensor& tokens, double temperature, int64_t chunk) {
    at::NoGradGuard no_grad;
    const int64_t scored = hidden.size(0);
    Tensor logp = at::empty({scored}, hidden.options().dtype(softmax_type(hidden)));
    Tensor entropy = at::empty_like(logp);
    for (int64_t begin = 0; begin < scored; begin += chunk) {
      const int64_t end = std::min(begin + chunk, scored);
      const Tensor log_p = chunk_log_softmax(hidden.slice(0, begin, end), weight, temperature);
      logp.slice(0, begin, end).copy_(log_p.gather(1, tokens.slice(0, begin, end).unsqueeze(-1)).squeeze(-1));
      entropy.slice(0, begin, end).copy_(entropy_of(log_p));
    }
    context->save_for_backward({hidden, weight, tokens, entropy});
    context->saved_data["temperature"] = temperature;
    context->saved_data["chunk"] = chunk;
    return {logp, entropy};
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const Tensor &hidden = saved[0], &weight = saved[1], &tokens = saved[2], &entropy = saved[3];
    const double temperature = context->saved_data["temperature"].toDouble();
    const int64_t chunk = context->saved_data["chunk"].toInt(), scored = hidden.size(0);
    const Tensor dlogp = grads[0].defined() ? grads[0] : at::zeros_like(entropy);
    const Tensor dentropy = grads[1].defined() ? grads[1] : at::zeros_like(entropy);
    Tensor dhidden = at::empty_like(hidden);
    Tensor dweight = at::zeros(weight.sizes(), weight.options().dtype(softmax_type(hidden)));
    for (int64_t begin = 0; begin < scored; begin += chunk) {
      const int64_t end = std::min(begin + chunk, scored);
      const auto part = [&](const Tensor& whole) { return whole.slice(0, begin, end); };
      const Tensor log_p = chunk_log_softmax(part(hidden), weight, temperature);
      Tensor dlogits = logit_gradient(log_p, part(tokens), part(entropy), part(dlogp), part(dentropy));
      if (temperature != 1.0) dlogits.div_(temperature);
      dlogits = dlogits.to(hidden.scalar_type());
      part(dhidden).copy_(dlogits.matmul(weight));
      dweight.add_(dlogits.t().matmul(part(hidden)));
    }
    return {dhidden, dweight.to(weight.scalar_type()), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

LogProbs linear_logprob(const Tensor& hidden, const Tensor& weight, const Tensor& tokens, double temperature,
                        int64_t chunk_elements) {
  check_shape("linear_logprob", "hidden", hidden, {-1, -1});
  check_shape("linear_logprob", "weight", weight, {-1, hidden.size(1)});
  check_shape("linear_logprob", "tokens", tokens, {hidden.size(0)});
  const auto result = LinearLogProb::apply(hidden, weight, tokens, temperature,
                                           rows_in_chunk(weight.size(0), chunk_elements));
  return {result[0], result[1]};
}

}  // namespace keel
