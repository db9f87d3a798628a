#include "keel/models/decoder.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/silu.h>

#include <cmath>
#include <numbers>
#include <stdexcept>

#include "keel/base/products.h"
#include "keel/models/dropout.h"
#include "keel/tensors/forest_attention.h"
#include "keel/tensors/gradient.h"
#include "keel/tensors/recompute.h"

namespace keel {
namespace {

// Llama 3.1's scaling of one inverse frequency.
template <class T>
T scaled_frequency(T frequency, const RotaryScaling& s) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const auto original = static_cast<double>(s.original_positions);
  if (wavelength < original / s.high_factor) return frequency;
  if (wavelength > original / s.low_factor) return static_cast<T>(frequency / s.factor);
  const double smooth = (original / wavelength - s.low_factor) / (s.high_factor - s.low_factor);
  return static_cast<T>((1 - smooth) * frequency / s.factor + smooth * frequency);
}

// (max_positions, head_size / 2). In T's own arithmetic: float32 is what transformers computes.
template <class T>
Tensor rotary_angles(const DecoderConfig& config) {
  const int64_t half = config.head_size / 2;
  std::vector<T> frequencies;
  for (int64_t i = 0; i < half; ++i) {
    const T exponent = static_cast<T>(2 * i) / static_cast<T>(config.head_size);
    const T frequency = 1 / std::pow(static_cast<T>(config.rotary_base), exponent);
    frequencies.push_back(config.rotary_scaling ? scaled_frequency(frequency, *config.rotary_scaling)
                                                : frequency);
  }
  const Tensor row = at::tensor(frequencies);
  return at::arange(config.max_positions, row.options()).unsqueeze(1) * row.unsqueeze(0);
}

Tensor activate(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::silu:
      return at::silu(x);
    case Activation::gelu:
      return at::gelu(x);
    case Activation::gelu_tanh:
      return at::gelu(x, "tanh");
    case Activation::relu:
      return at::relu(x);
  }
  throw std::logic_error("decoder: unknown activation");
}

}  // namespace

Decoder::Decoder(DecoderConfig config, std::vector<Parameter> parameters)
    : config_(std::move(config)), parameters_(std::move(parameters)) {
  for (int64_t layer = 0; layer < config_.layers; ++layer) {
    const std::string prefix = "layers." + std::to_string(layer) + ".";
    blocks_.push_back({take(prefix + "attention_norm"), take(prefix + "qkv"), take(prefix + "attention_out"),
                       take(prefix + "mlp_norm"), take(prefix + "up"), take(prefix + "down")});
  }
  norm_ = take("norm");
  if (config_.positions == Positions::learned) {
    learned_positions_ = take("positions").weight;
  } else {
    const auto type = embedding().scalar_type();
    const Tensor angles =
        type == at::kDouble ? rotary_angles<double>(config_) : rotary_angles<float>(config_);
    cos_ = angles.cos().to(device(), type);
    sin_ = angles.sin().to(device(), type);
  }
}

Linear Decoder::take(const std::string& name) const {
  Linear linear;
  for (const Parameter& parameter : parameters_) {
    if (parameter.name == name + ".weight") linear.weight = parameter.value;
    if (parameter.name == name + ".bias") linear.bias = parameter.value;
  }
  if (!linear.weight.defined()) throw std::logic_error("decoder: no parameter " + name);
  return linear;
}

void Decoder::check_inputs(const Tensor& tokens, const Tensor& positions) const {
  if (tokens.numel() == 0) throw std::invalid_argument("[decoder] expected at least one token, got none");
  const auto last = positions.max().item().toLong(), highest = tokens.max().item().toLong();
  if (last >= config_.max_positions)
    throw std::invalid_argument("[decoder] expected positions below the context of " +
                                std::to_string(config_.max_positions) + ", got " + std::to_string(last));
  if (highest >= config_.vocabulary || tokens.min().item().toLong() < 0)
    throw std::invalid_argument("[decoder] expected token ids below the vocabulary of " +
                                std::to_string(config_.vocabulary) + ", got " + std::to_string(highest));
}

Tensor Decoder::normalize(const Tensor& x, const Linear& norm) const {
  if (config_.norm == Norm::rms) return at::rms_norm(x, {config_.hidden}, norm.weight, config_.norm_epsilon);
  return at::layer_norm(x, {config_.hidden}, norm.weight, norm.bias, config_.norm_epsilon);
}

// The two halves of each head turn together (the "rotate half" layout; Su et al. 2021, equation 34).
Tensor Decoder::rotate(const Tensor& x, const Tensor& positions) const {
  const Tensor cos = cos_.index_select(0, positions).unsqueeze(1),
               sin = sin_.index_select(0, positions).unsqueeze(1);
  const int64_t half = config_.head_size / 2;
  const Tensor first = x.slice(-1, 0, half), second = x.slice(-1, half);
  return at::cat({first * cos - second * sin, second * cos + first * sin}, -1);
}

struct Decoder::Pass {
  Tensor positions;
  std::shared_ptr<Attend> attend;
  Precision precision;
  std::optional<Dropout> dropout;
  Tensor host_positions;  // where there is dropout: its masks are made on the host

  Tensor drop(const Tensor& x, int64_t site) const {
    return dropout ? apply_dropout(x, *dropout, host_positions, site) : x;
  }
};

Tensor Decoder::attention(const Pass& pass, int64_t layer, const Tensor& x) const {
  const Block& block = blocks_[static_cast<size_t>(layer)];
  const int64_t rows = x.size(0), queries = config_.heads, keys = config_.kv_heads;
  const Tensor qkv =
      linear(normalize(x, block.attention_norm), block.qkv.weight, block.qkv.bias, pass.precision)
          .view({rows, queries + 2 * keys, config_.head_size});
  Tensor q_and_k = qkv.slice(1, 0, queries + keys);
  if (config_.positions == Positions::rotary) q_and_k = rotate(q_and_k, pass.positions);
  const Tensor out = (*pass.attend)(layer, q_and_k.slice(1, 0, queries), q_and_k.slice(1, queries),
                                    qkv.slice(1, queries + keys));
  return linear(out.reshape({rows, queries * config_.head_size}), block.attention_out.weight,
                block.attention_out.bias, pass.precision);
}

Tensor Decoder::mlp(int64_t layer, const Tensor& x, Precision precision) const {
  const Block& block = blocks_[static_cast<size_t>(layer)];
  const Tensor up = linear(normalize(x, block.mlp_norm), block.up.weight, block.up.bias, precision);
  const Tensor inner =
      config_.gated_mlp ? activate(up.slice(1, 0, config_.mlp), config_.activation) * up.slice(1, config_.mlp)
                        : activate(up, config_.activation);
  return linear(inner, block.down.weight, block.down.bias, precision);
}

Tensor Decoder::block(const Pass& pass, int64_t layer, const Tensor& x) const {
  const Tensor y = x + pass.drop(attention(pass, layer, x), 2 * layer + 1);
  return y + pass.drop(mlp(layer, y, pass.precision), 2 * layer + 2);
}

Tensor Decoder::forward(const Tensor& tokens, const Tensor& positions, const std::shared_ptr<Attend>& attend,
                        const PassOptions& options) const {
  Pass shared{positions, attend, options.precision, {}, {}};
  if (options.dropout != nullptr && options.dropout->rate > 0) {
    shared.dropout = *options.dropout;
    shared.host_positions = positions.cpu();
  }
  const auto pass = std::make_shared<const Pass>(std::move(shared));
  Tensor x = pass->drop(embed(tokens, positions), 0);
  for (int64_t layer = 0; layer < config_.layers; ++layer) {
    const auto work = [this, pass, layer](const Tensor& input) { return block(*pass, layer, input); };
    x = options.recompute ? recomputed(work, x) : work(x);
  }
  return normalize(x, norm_);
}

namespace {

// Rows of a table; their gradients are added to the table's own.
Tensor rows_of(const Tensor& table, const Tensor& ids) {
  if (!at::GradMode::is_enabled() || !owns_gradient(table)) return at::embedding(table, ids);
  const Tensor rows = at::embedding(table.detach(), ids).requires_grad_();
  rows.register_hook([table, ids](const Tensor& gradient) {
    at::NoGradGuard no_grad;
    own_gradient(table).index_add_(0, ids, gradient);
  });
  return rows;
}

}  // namespace

Tensor Decoder::embed(const Tensor& tokens, const Tensor& positions) const {
  const Tensor x = rows_of(embedding(), tokens);
  return learned_positions_.defined() ? x + rows_of(learned_positions_, positions) : x;
}

Tensor Decoder::forward_fused(const Forest& forest, const PassOptions& options) const {
  const bool some = options.needed.defined() && options.needed.numel() < forest.size();
  BlockPass shared{.config = config_,
                   .segments = forest.segments,
                   .positions = forest.positions.contiguous(),
                   .cos = cos_,
                   .sin = sin_,
                   .precision = options.precision,
                   .needed = some ? options.needed : Tensor(),
                   .recompute = options.recompute};
  if (options.dropout != nullptr && options.dropout->rate > 0) shared.dropout = *options.dropout;
  const auto pass = std::make_shared<const BlockPass>(std::move(shared));
  Tensor x = embed(forest.tokens, forest.positions);
  if (pass->dropout) x = apply_dropout(x, *pass->dropout, pass->positions, 0);
  for (size_t layer = 0; layer < blocks_.size(); ++layer)
    x = fused_block(pass, static_cast<int64_t>(layer), blocks_[layer], x);
  return fused_norm(config_, norm_, x);
}

ForestAttend::ForestAttend(std::vector<Segment> segments, int64_t head_size, Precision precision)
    : segments_(std::move(segments)),
      scale_(1.0 / std::sqrt(static_cast<double>(head_size))),
      precision_(precision) {}

Tensor ForestAttend::operator()(int64_t, const Tensor& q, const Tensor& k, const Tensor& v) {
  if (has_own_forest_attention(q)) return forest_attention(q, k, v, segments_, scale_);
  if (!rounds_) rounds_ = attention_rounds(segments_, q.device());
  const bool narrow = precision_ == Precision::bfloat16 && q.scalar_type() == at::kFloat;
  const auto format = narrow ? at::kBFloat16 : q.scalar_type();
  const Tensor queries = q.to(format);
  return attend_in_rounds(queries, k.to(format), v.to(format), rounds_, scale_, varlen_kernel_for(queries))
      .to(q.scalar_type());
}

namespace {

// Of a pass over the forest: a token sees its ancestors and itself; the way back makes two products of each.
double forest_products(const Decoder& decoder, const Forest& forest, const Tensor& needed) {
  const DecoderConfig& config = decoder.config();
  const auto rows = static_cast<double>(forest.size());
  const double last_rows = needed.defined() ? static_cast<double>(needed.numel()) : rows;
  const double seen = forest.positions.sum().item().toDouble() / rows + 1;
  const BlockProducts block = block_products(config, seen);
  const double once =
      rows * block.sum() * static_cast<double>(config.layers) - (rows - last_rows) * block.behind;
  return at::GradMode::is_enabled() && decoder.embedding().requires_grad() ? 3 * once : once;
}

}  // namespace

Tensor forest_hidden(const Decoder& decoder, const Forest& forest, const PassOptions& options) {
  decoder.check_inputs(forest.tokens, forest.positions);
  count_products(forest_products(decoder, forest, options.needed));
  if (can_fuse(decoder.config(), decoder.embedding())) return decoder.forward_fused(forest, options);
  const auto attend =
      std::make_shared<ForestAttend>(forest.segments, decoder.config().head_size, options.precision);
  return decoder.forward(forest.tokens.to(decoder.device()), forest.positions.to(decoder.device()), attend,
                         options);
}

}  // namespace keel
