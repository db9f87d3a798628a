#include "keel/models/model.h"

#include <cmath>

#include "keel/base/random.h"
#include "keel/models/model_folder.h"

namespace keel {
namespace {

void fill_normal(const Tensor& values, double deviation, uint64_t seed, uint32_t parameter) {
  float* data = values.data_ptr<float>();
  at::parallel_for(0, values.numel(), 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      data[i] =
          static_cast<float>(deviation * normal({seed, Stream::initial_weights, parameter, 0,
                                                 static_cast<uint32_t>(i >> 32), static_cast<uint32_t>(i)}));
  });
}

Tensor initial_value(const ParameterSpec& spec, const DecoderConfig& config, uint64_t seed, uint32_t index) {
  if (spec.initial == Initial::ones) return at::ones(spec.shape, at::kFloat);
  Tensor value = at::zeros(spec.shape, at::kFloat);
  if (spec.initial == Initial::zeros) return value;
  double deviation = config.initializer_range;
  if (spec.initial == Initial::normal_residual)
    deviation /= std::sqrt(2.0 * static_cast<double>(config.layers));
  fill_normal(value, deviation, seed, index);
  return value;
}

std::vector<Parameter> cloned(const std::vector<Parameter>& parameters) {
  std::vector<Parameter> copies;
  for (const Parameter& p : parameters) copies.push_back({p.name, p.value.detach().clone()});
  return copies;
}

}  // namespace

std::vector<Parameter> Model::parameters() const {
  std::vector<Parameter> all = decoder.parameters();
  if (head.weight.defined() && !head.weight.is_same(decoder.embedding()))
    all.push_back({"head.weight", head.weight});
  return all;
}

int64_t Model::parameter_count() const {
  int64_t count = 0;
  for (const Parameter& parameter : parameters()) count += parameter.value.numel();
  return count;
}

void set_trainable(const Model& model, bool trainable) {
  for (const Parameter& parameter : model.parameters()) parameter.value.set_requires_grad(trainable);
}

Model frozen(Model model) {
  set_trainable(model, false);
  if (model.precision != Precision::bfloat16 || model.decoder.embedding().scalar_type() != at::kFloat)
    return model;
  std::vector<Parameter> parameters = model.decoder.parameters();
  for (const Block& block : model.decoder.blocks())
    for (const Linear* matrix : {&block.qkv, &block.attention_out, &block.up, &block.down})
      for (Parameter& parameter : parameters)
        if (parameter.value.is_same(matrix->weight)) parameter.value = matrix->weight.to(at::kBFloat16);
  const bool tied = model.head.weight.is_same(model.decoder.embedding());
  model.decoder = Decoder(model.config(), std::move(parameters));
  if (model.head.kind == HeadKind::language && !tied) model.head.weight = model.head.weight.to(at::kBFloat16);
  return model;
}

Role role_of(const Model& model) {
  return {&model.decoder, &model.head, model.precision, model.recompute};
}

std::vector<Tensor> forward(const Forest& forest, std::span<const Role> roles, const Tensor& needed) {
  std::vector<Tensor> hidden;
  for (size_t i = 0; i < roles.size(); ++i) {
    const Role& role = roles[i];
    size_t same = 0;
    while (roles[same].trunk != role.trunk) ++same;
    hidden.push_back(
        same < i
            ? hidden[same]
            : forest_hidden(*role.trunk, forest,
                            {.precision = role.precision, .needed = needed, .recompute = role.recompute}));
  }
  return hidden;
}

LogProbs language_logprobs(const Role& role, const Tensor& hidden, const Tensor& from, const Tensor& tokens,
                           double temperature, const Tensor& known_dlogp) {
  return linear_logprob(
      hidden.index_select(0, from.to(hidden.device())), role.head->weight, tokens.to(hidden.device()),
      {.temperature = temperature, .precision = role.precision, .known_dlogp = known_dlogp});
}

Tensor reward_direction(const Head& head) {
  if (head.mix.empty() && head.reward_label < 0)
    throw std::logic_error("reward_direction: a head of several labels without their weights");
  if (head.mix.empty()) return head.weight.select(0, head.reward_label);
  return at::tensor(head.mix, head.weight.options().requires_grad(false)).matmul(head.weight);
}

Tensor scalar_values(const Role& role, const Tensor& hidden, const Tensor& rows) {
  return hidden.index_select(0, rows.to(hidden.device())).matmul(reward_direction(*role.head)) +
         role.head->shift;
}

Tensor label_values(const Role& role, const Tensor& hidden, const Tensor& rows) {
  return hidden.index_select(0, rows.to(hidden.device())).matmul(role.head->weight.t());
}

void mix_evenly(Head& head) {
  head.mix.assign(head.labels.size(), 1.0 / static_cast<double>(head.labels.size()));
}

Model with_scalar_head(const Model& source, uint64_t seed, const std::vector<std::string>& labels) {
  Tensor weight = at::empty({std::ssize(labels), source.config().hidden}, at::kFloat);
  fill_normal(weight, 1.0 / std::sqrt(static_cast<double>(source.config().hidden) + 1), seed, 0xFFFFFFFF);
  Head head{HeadKind::scalar, weight.to(source.decoder.embedding().options().requires_grad(false)), 0, 0,
            choose_pad_id(source)};
  head.labels = labels;
  if (labels.size() > 1) mix_evenly(head);
  return {source.family, source.config_json, Decoder(source.config(), cloned(source.decoder.parameters())),
          head,          source.folder,      source.precision};
}

Model on_device(Model model, at::Device device) {
  if (model.decoder.device() == device) return model;
  std::vector<Parameter> moved;
  for (const Parameter& p : model.decoder.parameters())
    moved.push_back({p.name, p.value.detach().to(device)});
  const bool tied = model.head.weight.is_same(model.decoder.embedding());
  model.decoder = Decoder(model.config(), std::move(moved));
  model.head.weight = tied ? model.decoder.embedding() : model.head.weight.detach().to(device);
  return model;
}

Model clone_model(const Model& source) {
  Decoder decoder(source.config(), cloned(source.decoder.parameters()));
  Head head = source.head;
  head.weight = source.head.weight.is_same(source.decoder.embedding()) ? decoder.embedding()
                                                                       : source.head.weight.detach().clone();
  return {source.family, source.config_json, std::move(decoder), head, source.folder, source.precision};
}

Model new_model(const Family& family, const DecoderConfig& config, HeadKind kind, uint64_t seed) {
  check_config(config, "model");
  std::vector<Parameter> parameters;
  Tensor head_weight;
  uint32_t index = 0;
  for (const ParameterSpec& spec : parameter_specs(family, config, kind, 1)) {
    const Tensor value = initial_value(spec, config, seed, index++);
    if (spec.name == "head.weight")
      head_weight = value;
    else
      parameters.push_back({spec.name, value});
  }
  Decoder decoder(config, std::move(parameters));
  if (!head_weight.defined()) head_weight = decoder.embedding();
  return {&family, family.write(config), std::move(decoder), {kind, head_weight, 0, 0},
          {},      Precision::float32};
}

}  // namespace keel
