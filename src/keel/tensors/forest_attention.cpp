#include "keel/tensors/forest_attention.h"

#include <torch/csrc/autograd/custom_function.h>

#include "keel/tensors/checks.h"
#include "keel/tensors/forest_attention_cpu.h"

namespace keel {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

struct InOnePass : Function<InOnePass> {
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, const Tensor& v,
                        std::vector<Segment> segments, double scale) {
    at::NoGradGuard no_grad;
    Tensor out = at::empty_like(q);
    Tensor lse = at::empty({q.size(0), q.size(1)},
                           q.options().dtype(q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat));
    forest_attention_forward_cpu(q, k, v, segments, scale, out, lse);
    context->save_for_backward({q, k, v, out, lse});
    context->saved_data["scale"] = scale;
    std::vector<int64_t> flat;
    for (const Segment& s : segments) flat.insert(flat.end(), {s.begin, s.end, s.parent});
    context->saved_data["segments"] = flat;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const auto flat = context->saved_data["segments"].toIntVector();
    std::vector<Segment> segments;
    for (size_t i = 0; i + 2 < flat.size(); i += 3)
      segments.push_back({flat[i], flat[i + 1], static_cast<int32_t>(flat[i + 2])});
    Tensor dq = at::empty_like(saved[0]), dk = at::zeros_like(saved[1]), dv = at::zeros_like(saved[2]);
    forest_attention_backward_cpu(saved[0], saved[1], saved[2], segments,
                                  context->saved_data["scale"].toDouble(), saved[3], saved[4],
                                  grads[0].contiguous(), dq, dk, dv);
    return {dq, dk, dv, Tensor(), Tensor()};
  }
};

void check_arguments(const Tensor& q, const Tensor& k, const Tensor& v,
                     const std::vector<Segment>& segments) {
  const int64_t rows = segments.empty() ? 0 : segments.back().end;
  check_shape("forest_attention", "q", q, {rows, -1, -1});
  check_shape("forest_attention", "k", k, {rows, -1, q.size(2)});
  check_shape("forest_attention", "v", v, {rows, k.size(1), q.size(2)});
  if (k.size(1) == 0 || q.size(1) % k.size(1) != 0)
    throw std::invalid_argument("[forest_attention] expected heads a multiple of kv_heads, got " +
                                std::to_string(q.size(1)) + " and " + std::to_string(k.size(1)));
}

}  // namespace

bool has_own_forest_attention(const Tensor& q) {
  const at::ScalarType type = q.scalar_type();
  return q.is_cpu() && (type == at::kFloat || type == at::kDouble || type == at::kBFloat16);
}

Tensor forest_attention_in_rounds(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const std::vector<Segment>& segments, double scale) {
  check_arguments(q, k, v, segments);
  return attend_in_rounds(q, k, v, attention_rounds(segments, q.device()), scale, varlen_kernel_for(q));
}

Tensor forest_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                        const std::vector<Segment>& segments, double scale) {
  if (!has_own_forest_attention(q)) return forest_attention_in_rounds(q, k, v, segments, scale);
  check_arguments(q, k, v, segments);
  return InOnePass::apply(q.contiguous(), k.contiguous(), v.contiguous(), segments, scale);
}

}  // namespace keel
