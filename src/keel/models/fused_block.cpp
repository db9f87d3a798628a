#include "keel/models/fused_block.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/threshold_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "keel/tensors/elementwise.h"
#include "keel/tensors/forest_attention_blocks.h"
#include "keel/tensors/gradient.h"
#include "keel/tensors/panels.h"

namespace keel {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Which block of which pass; held by the node for its way back.
struct Place {
  std::shared_ptr<const BlockPass> pass;
  int64_t layer;
};

struct PlaceHolder : torch::CustomClassHolder {
  explicit PlaceHolder(Place p) : place(std::move(p)) {}
  Place place;
};

// The parameters in the order in which the node takes them.
enum Weight {
  kNorm1,
  kNorm1Bias,
  kQkv,
  kQkvBias,
  kOut,
  kOutBias,
  kNorm2,
  kNorm2Bias,
  kUp,
  kUpBias,
  kDown,
  kDownBias,
  kWeights
};
// What the way back needs, in the order in which it is saved.
enum Saved {
  kX,
  kNormed1,
  kInverse1,
  kMean1,
  kQkvOut,
  kAttended,
  kLse,
  kSum2,
  kNormed2,
  kInverse2,
  kMean2,
  kUpOut,
  kInner,
  kSaved
};

Tensor activate(const Tensor& x, Activation activation) {
  if (activation == Activation::silu) return at::silu(x);
  if (activation == Activation::relu) return at::relu(x);
  return at::gelu(x, activation == Activation::gelu_tanh ? "tanh" : "none");
}

Tensor activate_backward(const Tensor& d, const Tensor& x, Activation activation) {
  if (activation == Activation::silu) return at::silu_backward(d, x);
  if (activation == Activation::relu) return at::threshold_backward(d, x, 0);
  return at::gelu_backward(d, x, activation == Activation::gelu_tanh ? "tanh" : "none");
}

template <class Element>
Element* data(const Tensor& tensor) {
  return tensor.defined() ? static_cast<Element*>(tensor.data_ptr()) : nullptr;
}

// bias: undefined or empty for none.
NormShape norm_shape(NormKind kind, double epsilon, const Tensor& x, const Tensor& weight,
                     const Tensor& bias) {
  return {kind,
          x.size(0),
          x.size(1),
          static_cast<float>(epsilon),
          weight.const_data_ptr<float>(),
          bias.defined() && bias.numel() > 0 ? bias.const_data_ptr<float>() : nullptr};
}
NormKind kind_of(Norm norm) {
  return norm == Norm::layer ? NormKind::layer : NormKind::rms;
}

// The block's passes over tensors of one format.
template <class T>
class Passes {
 public:
  explicit Passes(const Place& place) : pass_(*place.pass), config_(pass_.config), layer_(place.layer) {}

  // What the block's attention (part 1) or MLP (part 2) adds to the residual stream, and its gradient.
  Tensor drop(const Tensor& x, int64_t part) const {
    if (!pass_.dropout) return x;
    if (!some()) return apply_dropout(x, *pass_.dropout, pass_.positions, 2 * layer_ + part);
    Dropout dropout = *pass_.dropout;
    const int64_t* rows = pass_.needed.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < x.size(0); ++i)
      dropout.documents[static_cast<size_t>(i)] = pass_.dropout->documents[static_cast<size_t>(rows[i])];
    dropout.documents.resize(static_cast<size_t>(x.size(0)));
    return apply_dropout(x, dropout, pass_.positions.index_select(0, pass_.needed), 2 * layer_ + part);
  }

  // Behind the attention of the last block only what is needed goes on: picked rows of x, and the way back.
  bool some() const { return pass_.needed.defined() && layer_ == config_.layers - 1; }
  Tensor picked(const Tensor& x) const { return some() ? x.index_select(0, pass_.needed) : x; }
  Tensor spread(const Tensor& x) const {
    if (!some()) return x;
    return at::zeros({pass_.positions.size(0), x.size(1)}, x.options()).index_copy_(0, pass_.needed, x);
  }

  struct Normed {
    Tensor sum, out, inverse, mean;
  };

  // added: undefined for none; sum is then x itself.
  Normed norm(const Tensor& x, const Tensor& added, const Tensor& weight, const Tensor& bias) const {
    const bool layer = config_.norm == Norm::layer;
    Normed n{added.defined() ? at::empty_like(x) : x, at::empty(x.sizes(), x.options().dtype(kType)),
             at::empty({x.size(0)}, x.options()), layer ? at::empty({x.size(0)}, x.options()) : Tensor()};
    norm_forward<T>(shape(x, weight, bias), x.const_data_ptr<float>(), data<const T>(added),
                    n.sum.template data_ptr<float>(), n.out.template data_ptr<T>(),
                    n.inverse.template data_ptr<float>(), data<float>(n.mean));
    return n;
  }

  // Adds the norm's gradient to dsum; returns dsum in T where `wanted`.
  Tensor norm_back(const Tensor& sum, const Tensor& inverse, const Tensor& mean, const Tensor& weight,
                   const Tensor& bias, const Tensor& dnormed, Tensor& dsum, bool wanted, Tensor& dweight,
                   Tensor& dbias) const {
    Tensor dadded = wanted ? at::empty(sum.sizes(), sum.options().dtype(kType)) : Tensor();
    dweight = at::zeros_like(weight);
    if (bias.defined()) dbias = at::zeros_like(bias);
    norm_backward<T>(shape(sum, weight, bias), sum.const_data_ptr<float>(), inverse.const_data_ptr<float>(),
                     data<const float>(mean), dnormed.const_data_ptr<T>(), dsum.data_ptr<float>(),
                     data<T>(dadded), dweight.data_ptr<float>(), data<float>(dbias));
    return dadded;
  }

  // In place on the queries and keys of qkv (N, (heads + 2 kv_heads) d).
  void rotate(Tensor& qkv, bool inverse) const {
    if (!pass_.cos.defined()) return;
    rotate_in_place(RotaryShape{qkv.size(0), qkv.size(1), config_.heads + config_.kv_heads, config_.head_size,
                                pass_.positions.const_data_ptr<int64_t>(), pass_.cos.const_data_ptr<float>(),
                                pass_.sin.const_data_ptr<float>()},
                    qkv.data_ptr<T>(), inverse);
  }

  std::pair<Tensor, Tensor> attend(const Tensor& qkv) const {
    Tensor out = at::empty({qkv.size(0), queries()}, qkv.options());
    Tensor lse = at::empty({qkv.size(0), config_.heads}, qkv.options().dtype(at::kFloat));
    const T* q = qkv.const_data_ptr<T>();
    forest_attention_forward_blocks<T>(attention_shape(), pass_.segments, q, q + queries(),
                                       q + queries() + keys(), out.data_ptr<T>(), lse.data_ptr<float>());
    return {out, lse};
  }

  Tensor attend_back(const Tensor& qkv, const Tensor& out, const Tensor& lse, const Tensor& grad) const {
    Tensor dqkv = at::empty_like(qkv);
    const T* q = qkv.const_data_ptr<T>();
    T* dq = dqkv.data_ptr<T>();
    forest_attention_backward_blocks<T>(
        attention_shape(), pass_.segments, q, q + queries(), q + queries() + keys(), out.const_data_ptr<T>(),
        lse.const_data_ptr<float>(), grad.const_data_ptr<T>(), dq, dq + queries(), dq + queries() + keys());
    return dqkv;
  }

  Tensor inner(const Tensor& up) const {
    Tensor out = at::empty({up.size(0), config_.mlp}, up.options());
    activate_forward(config_.activation, config_.gated_mlp, up.size(0), config_.mlp, up.const_data_ptr<T>(),
                     out.data_ptr<T>());
    return out;
  }

  Tensor inner_back(const Tensor& up, const Tensor& dinner) const {
    if (!config_.gated_mlp) return activate_backward(dinner, up, config_.activation);
    if (config_.activation != Activation::silu) {
      const Tensor gate = up.slice(1, 0, config_.mlp);
      return at::cat(
          {activate_backward(dinner * up.slice(1, config_.mlp), gate.contiguous(), config_.activation),
           dinner * activate(gate, config_.activation)},
          1);
    }
    Tensor dup = at::empty_like(up);
    gated_silu_backward(up.size(0), config_.mlp, up.const_data_ptr<T>(), dinner.const_data_ptr<T>(),
                        dup.data_ptr<T>());
    return dup;
  }

 private:
  static constexpr at::ScalarType kType = c10::CppTypeToScalarType<T>::value;

  int64_t queries() const { return config_.heads * config_.head_size; }
  int64_t keys() const { return config_.kv_heads * config_.head_size; }
  NormShape shape(const Tensor& x, const Tensor& weight, const Tensor& bias) const {
    return norm_shape(kind_of(config_.norm), config_.norm_epsilon, x, weight, bias);
  }
  AttentionShape attention_shape() const {
    const int64_t stride = queries() + 2 * keys();
    return {config_.heads,
            config_.kv_heads,
            config_.head_size,
            stride,
            stride,
            stride,
            queries(),
            1 / std::sqrt(static_cast<double>(config_.head_size))};
  }

  const BlockPass& pass_;
  const DecoderConfig& config_;
  int64_t layer_;
};

at::ScalarType format_of(const BlockPass& pass) {
  return pass.precision == Precision::bfloat16 ? at::kBFloat16 : at::kFloat;
}

// What stands for a bias that is not there becomes one that is not defined.
std::vector<Tensor> some_of(const variable_list& weights) {
  std::vector<Tensor> result;
  for (const Tensor& weight : weights) result.push_back(weight.numel() == 0 ? Tensor() : weight);
  return result;
}

template <class T>
Tensor forward_as(const Place& place, const Tensor& x, const std::vector<Tensor>& w, variable_list& saved) {
  const Passes<T> passes(place);
  const auto first = passes.norm(x, {}, w[kNorm1], w[kNorm1Bias]);
  Tensor qkv = linear_product(first.out, w[kQkv], w[kQkvBias]);
  passes.rotate(qkv, false);
  const auto [attended, lse] = passes.attend(qkv);
  const Tensor seen = passes.picked(attended);
  const Tensor added = passes.drop(linear_product(seen, w[kOut], w[kOutBias]), 1);
  const auto second = passes.norm(passes.picked(x), added, w[kNorm2], w[kNorm2Bias]);
  const Tensor up = linear_product(second.out, w[kUp], w[kUpBias]), inner = passes.inner(up);
  saved = {x,          first.out,  first.inverse,  first.mean,  qkv, attended, lse,
           second.sum, second.out, second.inverse, second.mean, up,  inner};
  const Tensor last = passes.drop(linear_product(inner, w[kDown], w[kDownBias]), 2).contiguous();
  Tensor y = at::empty_like(second.sum);
  add_rows<T>(y.numel(), second.sum.template const_data_ptr<float>(), last.const_data_ptr<T>(),
              y.data_ptr<float>());
  return passes.spread(y);
}

// s: what was saved.
template <class T>
variable_list backward_as(const Place& place, const variable_list& s, const std::vector<Tensor>& w,
                          const Tensor& dy) {
  const Passes<T> passes(place);
  variable_list grads(kWeights);
  const Tensor dlast = passes.picked(dy);
  Tensor dsum = dlast.clone();
  const auto back = [&](const Tensor& d, const Tensor& x, Weight weight, Weight bias) {
    grads[weight] = passed_on(w[weight], d, x);
    if (w[bias].defined()) grads[bias] = d.sum(0, false, at::kFloat);
    return linear_product_back(d, w[weight]);
  };
  const Tensor dinner = back(passes.drop(dlast.to(s[kInner].scalar_type()), 2), s[kInner], kDown, kDownBias);
  const Tensor dnormed2 = back(passes.inner_back(s[kUpOut], dinner), s[kNormed2], kUp, kUpBias);
  const Tensor dattention = passes.norm_back(s[kSum2], s[kInverse2], s[kMean2], w[kNorm2], w[kNorm2Bias],
                                             dnormed2, dsum, true, grads[kNorm2], grads[kNorm2Bias]);
  const Tensor dattended =
      passes.spread(back(passes.drop(dattention, 1), passes.picked(s[kAttended]), kOut, kOutBias));
  Tensor dx = passes.spread(dsum);
  Tensor dqkv = passes.attend_back(s[kQkvOut], s[kAttended], s[kLse], dattended);
  passes.rotate(dqkv, true);
  const Tensor dnormed1 = back(dqkv, s[kNormed1], kQkv, kQkvBias);
  passes.norm_back(s[kX], s[kInverse1], s[kMean1], w[kNorm1], w[kNorm1Bias], dnormed1, dx, false,
                   grads[kNorm1], grads[kNorm1Bias]);
  variable_list result = {dx};
  result.insert(result.end(), grads.begin(), grads.end());
  return result;
}

struct FusedBlock : Function<FusedBlock> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& norm1,
                        const Tensor& norm1_bias, const Tensor& qkv, const Tensor& qkv_bias,
                        const Tensor& out, const Tensor& out_bias, const Tensor& norm2,
                        const Tensor& norm2_bias, const Tensor& up, const Tensor& up_bias, const Tensor& down,
                        const Tensor& down_bias, const Place& place) {
    const variable_list weights = {norm1, norm1_bias, qkv, qkv_bias, out,  out_bias,
                                   norm2, norm2_bias, up,  up_bias,  down, down_bias};
    at::NoGradGuard no_grad;
    variable_list saved;
    const Tensor y = compute(place, x, some_of(weights), saved);
    if (place.pass->recompute) saved = {x};
    saved.insert(saved.end(), weights.begin(), weights.end());
    context->save_for_backward(saved);
    context->saved_data["place"] = c10::IValue::make_capsule(c10::make_intrusive<PlaceHolder>(place));
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    variable_list saved = context->get_saved_variables();
    const Place& place =
        c10::static_intrusive_pointer_cast<PlaceHolder>(context->saved_data["place"].toCapsule())->place;
    const std::vector<Tensor> w = some_of({saved.end() - kWeights, saved.end()});
    if (place.pass->recompute) {
      const Tensor x = saved.front();
      compute(place, x, w, saved);
    }
    const Tensor dy = grads[0].contiguous();
    variable_list result = format_of(*place.pass) == at::kFloat
                               ? backward_as<float>(place, saved, w, dy)
                               : backward_as<c10::BFloat16>(place, saved, w, dy);
    result.emplace_back();  // of the place
    return result;
  }

 private:
  // The block's output, and in `saved` what the way back needs of it.
  static Tensor compute(const Place& place, const Tensor& x, const std::vector<Tensor>& w,
                        variable_list& saved) {
    return format_of(*place.pass) == at::kFloat ? forward_as<float>(place, x, w, saved)
                                                : forward_as<c10::BFloat16>(place, x, w, saved);
  }
};

// The last norm, whose rows the head reads: as the blocks' own, so that generation's has its bits.
struct FusedNorm : Function<FusedNorm> {
  static Tensor forward(AutogradContext* context, const Tensor& given, const Tensor& weight,
                        const Tensor& bias, bool layer, double epsilon) {
    at::NoGradGuard no_grad;
    const Tensor x = given.contiguous();
    Tensor out = at::empty_like(x), inverse = at::empty({x.size(0)}, x.options()),
           mean = layer ? at::empty_like(inverse) : Tensor();
    norm_forward<float>(norm_shape(layer ? NormKind::layer : NormKind::rms, epsilon, x, weight, bias),
                        x.const_data_ptr<float>(), nullptr, const_cast<float*>(x.const_data_ptr<float>()),
                        out.data_ptr<float>(), inverse.data_ptr<float>(), data<float>(mean));
    context->save_for_backward({x, weight, bias, inverse, layer ? mean : inverse});
    context->saved_data["layer"] = layer;
    context->saved_data["epsilon"] = epsilon;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list s = context->get_saved_variables();
    const Tensor &x = s[0], &weight = s[1], &bias = s[2], dy = grads[0].contiguous();
    const bool layer = context->saved_data["layer"].toBool();
    Tensor dx = at::zeros_like(x), dweight = at::zeros_like(weight), dbias = at::zeros_like(bias);
    norm_backward<float>(norm_shape(layer ? NormKind::layer : NormKind::rms,
                                    context->saved_data["epsilon"].toDouble(), x, weight, bias),
                         x.const_data_ptr<float>(), s[3].const_data_ptr<float>(),
                         layer ? s[4].const_data_ptr<float>() : nullptr, dy.const_data_ptr<float>(),
                         dx.data_ptr<float>(), nullptr, dweight.data_ptr<float>(),
                         bias.numel() > 0 ? dbias.data_ptr<float>() : nullptr);
    return {dx, dweight, bias.numel() > 0 ? dbias : Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

bool can_fuse(const DecoderConfig& config, const Tensor& embedding) {
  return embedding.is_cpu() && embedding.scalar_type() == at::kFloat && config.head_size % 2 == 0;
}

// A node takes no undefined tensor: an empty one stands for a bias that is not there.
static Tensor some_bias(const Tensor& bias, const Tensor& x) {
  return bias.defined() ? bias : at::empty({0}, x.options());
}

Tensor fused_norm(const DecoderConfig& config, const Linear& norm, const Tensor& x) {
  return FusedNorm::apply(x, norm.weight, some_bias(norm.bias, x), config.norm == Norm::layer,
                          config.norm_epsilon);
}

Tensor fused_block(const std::shared_ptr<const BlockPass>& pass, int64_t layer, const Block& b,
                   const Tensor& x) {
  const auto some = [&](const Tensor& bias) { return some_bias(bias, x); };
  return FusedBlock::apply(x, b.attention_norm.weight, some(b.attention_norm.bias), b.qkv.weight,
                           some(b.qkv.bias), b.attention_out.weight, some(b.attention_out.bias),
                           b.mlp_norm.weight, some(b.mlp_norm.bias), b.up.weight, some(b.up.bias),
                           b.down.weight, some(b.down.bias), Place{pass, layer});
}

}  // namespace keel
