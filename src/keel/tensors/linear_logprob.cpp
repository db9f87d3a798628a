#include "keel/tensors/linear_logprob.h"

#include <ATen/ops/log_softmax.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <stdexcept>

#include "keel/base/products.h"
#include "keel/tensors/checks.h"
#include "keel/tensors/gradient.h"
#include "keel/tensors/linear_logprob_blocks.h"
#include "keel/tensors/weight_gradient.h"

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
  Tensor logits = wide_product(hidden, weight);
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

// The gradient with respect to hidden and weight of some chunks, summed. A weight that owns its gradient gets
// it there.
template <class T>
struct HeadGradients {
  Tensor hidden;            // of T
  Panels<T> weight;         // for dlogits · W
  Tensor dhidden, dweight;  // float32
  bool own;

  HeadGradients(const Tensor& h, const Tensor& w)
      : hidden(h),
        weight(Panels<T>::of_columns(w.contiguous())),
        dhidden(at::empty(h.sizes(), h.options().dtype(at::kFloat))),
        own(owns_gradient(w)) {
    dweight = own ? own_gradient(w) : at::zeros(w.sizes(), w.options().dtype(at::kFloat));
  }
  // dlogits: of rows from `begin` on.
  void add(int64_t begin, const Tensor& dlogits) {
    const int64_t rows = dlogits.size(0);
    dhidden.narrow(0, begin, rows).copy_(weight.multiply(dlogits));
    add_weight_gradient(dweight, dlogits, hidden.narrow(0, begin, rows));
  }
  // For backward to return.
  variable_list results() const { return {dhidden, own ? Tensor() : dweight}; }
};

// Calls work(first row, dlogits of some rows) chunk by chunk; all dlogits are one buffer.
template <class Work>
void for_each_chunk(int64_t scored, int64_t vocabulary, int64_t chunk_elements, const Tensor& like,
                    const Work& work) {
  const int64_t chunk = std::min(scored, rows_in_chunk(vocabulary, chunk_elements));
  const Tensor dlogits = at::empty({chunk, vocabulary}, like.options());
  for (int64_t begin = 0; begin < scored; begin += chunk)
    work(begin, dlogits.narrow(0, 0, std::min(chunk, scored - begin)));
}

struct BlockLogProb : Function<BlockLogProb> {
  template <class T>
  static variable_list forward_as(AutogradContext* context, const Tensor& hidden, const Tensor& weight,
                                  const Tensor& tokens, const LogProbOptions& options) {
    const auto type = c10::CppTypeToScalarType<T>::value;
    const Tensor h = hidden.to(type).contiguous(), w = weight.contiguous(), ids = tokens.contiguous();
    const int64_t scored = h.size(0), vocabulary = w.size(0), width = h.size(1);
    Tensor logp = at::empty({scored}, at::kFloat), entropy = at::empty_like(logp), lse = at::empty_like(logp);
    const LogProbBlocks<T> blocks(w, options.temperature);
    const auto at_row = [](const Tensor& t, int64_t row) { return t.data_ptr<float>() + row; };
    context->save_for_backward({hidden, weight, tokens, entropy, lse});
    if (!options.known_dlogp.defined()) {
      blocks.forward(h.const_data_ptr<T>(), ids.const_data_ptr<int64_t>(), scored, at_row(logp, 0),
                     at_row(entropy, 0), at_row(lse, 0));
      return {logp, entropy};
    }
    const Tensor dlogp = options.known_dlogp.to(at::kFloat).contiguous();
    HeadGradients<T> gradients(h, weight);
    for_each_chunk(scored, vocabulary, options.chunk_elements, h, [&](int64_t begin, const Tensor& dlogits) {
      blocks.forward_backward(h.const_data_ptr<T>() + begin * width, ids.const_data_ptr<int64_t>() + begin,
                              dlogits.size(0), at_row(dlogp, begin), at_row(logp, begin),
                              at_row(entropy, begin), at_row(lse, begin), dlogits.data_ptr<T>());
      gradients.add(begin, dlogits);
    });
    context->saved_data["known"] = std::vector<Tensor>{dlogp, gradients.dhidden};
    return {logp, entropy};
  }

  template <class T>
  static variable_list backward_as(const variable_list& saved, const Tensor& dlogp, const Tensor& dentropy,
                                   const LogProbOptions& options) {
    const auto type = c10::CppTypeToScalarType<T>::value;
    const Tensor h = saved[0].to(type).contiguous(), w = saved[1].contiguous(), ids = saved[2].contiguous();
    const LogProbBlocks<T> blocks(w, options.temperature);
    HeadGradients<T> gradients(h, saved[1]);
    for_each_chunk(
        h.size(0), w.size(0), options.chunk_elements, h, [&](int64_t begin, const Tensor& dlogits) {
          const auto at_row = [&](const Tensor& t) { return t.const_data_ptr<float>() + begin; };
          blocks.backward(h.const_data_ptr<T>() + begin * h.size(1), ids.const_data_ptr<int64_t>() + begin,
                          dlogits.size(0), at_row(saved[3]), at_row(saved[4]), at_row(dlogp),
                          dentropy.defined() ? at_row(dentropy) : nullptr, dlogits.data_ptr<T>());
          gradients.add(begin, dlogits);
        });
    return gradients.results();
  }

  static variable_list forward(AutogradContext* context, const Tensor& hidden, const Tensor& weight,
                               const Tensor& tokens, const LogProbOptions& options) {
    at::NoGradGuard no_grad;
    context->saved_data["temperature"] = options.temperature;
    context->saved_data["chunk"] = options.chunk_elements;
    context->saved_data["narrow"] = options.precision == Precision::bfloat16;
    context->set_materialize_grads(false);  // an entropy that nobody used has no gradient
    return options.precision == Precision::bfloat16
               ? forward_as<c10::BFloat16>(context, hidden, weight, tokens, options)
               : forward_as<float>(context, hidden, weight, tokens, options);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor dlogp = grads[0].defined() ? grads[0].contiguous() : at::zeros_like(saved[3]);
    const Tensor dentropy = grads[1].defined() ? grads[1].contiguous() : Tensor();
    const LogProbOptions options{.temperature = context->saved_data["temperature"].toDouble(),
                                 .chunk_elements = context->saved_data["chunk"].toInt()};
    variable_list result;
    if (context->saved_data.count("known") != 0) {
      const std::vector<Tensor> known = context->saved_data["known"].toTensorVector();
      if (dentropy.defined() || !dlogp.equal(known[0]))
        throw std::logic_error("linear_logprob: expected the gradient that was given as known, got another");
      result = {known[1]};
    } else {
      result = context->saved_data["narrow"].toBool()
                   ? backward_as<c10::BFloat16>(saved, dlogp, dentropy, options)
                   : backward_as<float>(saved, dlogp, dentropy, options);
    }
    result.resize(4);
    return result;
  }
};

void check_arguments(const Tensor& hidden, const Tensor& weight, const Tensor& tokens) {
  check_shape("linear_logprob", "hidden", hidden, {-1, -1});
  check_shape("linear_logprob", "weight", weight, {-1, hidden.size(1)});
  check_shape("linear_logprob", "tokens", tokens, {hidden.size(0)});
  if (weight.device() != hidden.device() || tokens.device() != hidden.device())
    throw std::invalid_argument("[linear_logprob] expected weight and tokens on " + hidden.device().str() +
                                ", got " + weight.device().str() + " and " + tokens.device().str());
}

void count(const Tensor& hidden, const Tensor& weight) {
  const bool back = at::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad());
  count_products((back ? 6.0 : 2.0) * static_cast<double>(hidden.numel()) *
                 static_cast<double>(weight.size(0)));
}

}  // namespace

LogProbs linear_logprob(const Tensor& hidden, const Tensor& weight, const Tensor& tokens,
                        LogProbOptions options) {
  const bool narrow = options.precision == Precision::bfloat16 && weight.scalar_type() == at::kBFloat16;
  if (!hidden.is_cpu() || hidden.scalar_type() != at::kFloat ||
      (weight.scalar_type() != at::kFloat && !narrow) || hidden.size(0) == 0)
    return linear_logprob_plain(hidden, weight, tokens, options);
  check_arguments(hidden, weight, tokens);
  count(hidden, weight);
  if (!at::GradMode::is_enabled() || !owns_gradient(weight)) options.known_dlogp = Tensor();
  const auto result = BlockLogProb::apply(hidden, weight, tokens, options);
  return {result[0], result[1]};
}

LogProbs linear_logprob_plain(const Tensor& hidden, const Tensor& weight, const Tensor& tokens,
                              const LogProbOptions& options) {
  check_arguments(hidden, weight, tokens);
  count(hidden, weight);
  const bool narrow = options.precision == Precision::bfloat16 && hidden.scalar_type() == at::kFloat;
  const auto format = narrow ? at::kBFloat16 : hidden.scalar_type();
  const auto result = LinearLogProb::apply(hidden.to(format), weight.to(format), tokens, options.temperature,
                                           rows_in_chunk(weight.size(0), options.chunk_elements));
  return {result[0], result[1]};
}

}  // namespace keel
