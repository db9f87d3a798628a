#include "keel/models/families.h"

#include <array>

#include "keel/base/error.h"

namespace keel {
namespace {

constexpr int64_t kLargestSize = int64_t{1} << 24;

int64_t size_member(const Json& config, const char* name, int64_t fallback, const std::string& where) {
  const auto value = json_get<int64_t>(config, name, fallback, where);
  if (value < 1 || value > kLargestSize)
    throw Error(where, "expected a positive " + std::string(name) + ", got " + std::to_string(value));
  return value;
}

Activation activation_named(const std::string& name, const std::string& where) {
  if (name == "silu" || name == "swish") return Activation::silu;
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
  if (name == "relu") return Activation::relu;
  throw Error(where, "expected the activation silu, gelu, gelu_new, gelu_pytorch_tanh or relu, got " + name);
}

std::string activation_name(Activation activation) {
  return std::array{"silu", "gelu", "gelu_new", "relu"}[static_cast<size_t>(activation)];
}

std::optional<RotaryScaling> read_scaling(const Json& config, const std::string& where) {
  const auto found = config.find("rope_scaling");
  if (found == config.end() || found->is_null()) return std::nullopt;
  const auto type =
      json_get<std::string>(*found, "rope_type", json_get<std::string>(*found, "type", "", where), where);
  if (type == "default") return std::nullopt;
  if (type != "llama3") throw Error(where, "expected rope_scaling of type llama3 or none, got " + type);
  RotaryScaling scaling;
  scaling.factor = json_get<double>(*found, "factor", 1, where);
  scaling.low_factor = json_get<double>(*found, "low_freq_factor", 1, where);
  scaling.high_factor = json_get<double>(*found, "high_freq_factor", 4, where);
  scaling.original_positions = size_member(*found, "original_max_position_embeddings", 8192, where);
  return scaling;
}

// Llama and its relatives: what differs between them is read by their own rows of the table.
DecoderConfig read_llama(const Json& config, const std::string& where) {
  DecoderConfig c;
  c.vocabulary = size_member(config, "vocab_size", 0, where);
  c.hidden = size_member(config, "hidden_size", 0, where);
  c.layers = size_member(config, "num_hidden_layers", 0, where);
  c.heads = size_member(config, "num_attention_heads", 0, where);
  c.kv_heads = size_member(config, "num_key_value_heads", c.heads, where);
  c.head_size = size_member(config, "head_dim", c.hidden / c.heads, where);
  c.mlp = size_member(config, "intermediate_size", 0, where);
  c.max_positions = size_member(config, "max_position_embeddings", 2048, where);
  c.norm_epsilon = json_get<double>(config, "rms_norm_eps", 1e-6, where);
  c.rotary_base = json_get<double>(config, "rope_theta", 10000, where);
  c.rotary_scaling = read_scaling(config, where);
  c.activation = activation_named(json_get<std::string>(config, "hidden_act", "silu", where), where);
  c.qkv_bias = c.attention_out_bias = json_get<bool>(config, "attention_bias", false, where);
  c.mlp_bias = json_get<bool>(config, "mlp_bias", false, where);
  c.tied_head = json_get<bool>(config, "tie_word_embeddings", false, where);
  c.initializer_range = json_get<double>(config, "initializer_range", 0.02, where);
  return c;
}

DecoderConfig read_qwen2(const Json& config, const std::string& where) {
  if (json_get<bool>(config, "use_sliding_window", false, where))
    throw Error(where, "expected use_sliding_window false: sliding windows are not there yet");
  DecoderConfig c = read_llama(config, where);
  c.qkv_bias = true;
  c.attention_out_bias = false;
  return c;
}

DecoderConfig read_gpt2(const Json& config, const std::string& where) {
  for (const char* name : {"scale_attn_by_inverse_layer_idx", "add_cross_attention"})
    if (json_get<bool>(config, name, false, where))
      throw Error(where, std::string("expected ") + name + " false");
  if (!json_get<bool>(config, "scale_attn_weights", true, where))
    throw Error(where, "expected scale_attn_weights true");
  DecoderConfig c;
  c.vocabulary = size_member(config, "vocab_size", 50257, where);
  c.hidden = size_member(config, "n_embd", 768, where);
  c.layers = size_member(config, "n_layer", 12, where);
  c.heads = c.kv_heads = size_member(config, "n_head", 12, where);
  c.head_size = c.hidden / c.heads;
  c.mlp = size_member(config, "n_inner", 4 * c.hidden, where);
  c.max_positions = size_member(config, "n_positions", 1024, where);
  c.norm = Norm::layer;
  c.norm_epsilon = json_get<double>(config, "layer_norm_epsilon", 1e-5, where);
  c.positions = Positions::learned;
  c.activation =
      activation_named(json_get<std::string>(config, "activation_function", "gelu_new", where), where);
  c.gated_mlp = false;
  c.qkv_bias = c.attention_out_bias = c.mlp_bias = true;
  c.tied_head = json_get<bool>(config, "tie_word_embeddings", true, where);
  c.initializer_range = json_get<double>(config, "initializer_range", 0.02, where);
  return c;
}

Json write_llama(const DecoderConfig& c) {
  Json config = {{"model_type", "llama"},
                 {"vocab_size", c.vocabulary},
                 {"hidden_size", c.hidden},
                 {"num_hidden_layers", c.layers},
                 {"num_attention_heads", c.heads},
                 {"num_key_value_heads", c.kv_heads},
                 {"head_dim", c.head_size},
                 {"intermediate_size", c.mlp},
                 {"max_position_embeddings", c.max_positions},
                 {"rms_norm_eps", c.norm_epsilon},
                 {"rope_theta", c.rotary_base},
                 {"rope_scaling", nullptr},
                 {"hidden_act", activation_name(c.activation)},
                 {"attention_bias", c.qkv_bias},
                 {"attention_dropout", 0.0},
                 {"mlp_bias", c.mlp_bias},
                 {"tie_word_embeddings", c.tied_head},
                 {"initializer_range", c.initializer_range}};
  if (c.rotary_scaling)
    config["rope_scaling"] = {{"rope_type", "llama3"},
                              {"factor", c.rotary_scaling->factor},
                              {"low_freq_factor", c.rotary_scaling->low_factor},
                              {"high_freq_factor", c.rotary_scaling->high_factor},
                              {"original_max_position_embeddings", c.rotary_scaling->original_positions}};
  return config;
}

Json write_qwen2(const DecoderConfig& c) {
  Json config = write_llama(c);
  config["model_type"] = "qwen2";
  for (const char* name : {"attention_bias", "mlp_bias", "head_dim"}) config.erase(name);
  return config;
}

Json write_gpt2(const DecoderConfig& c) {
  return {{"model_type", "gpt2"},
          {"vocab_size", c.vocabulary},
          {"n_embd", c.hidden},
          {"n_layer", c.layers},
          {"n_head", c.heads},
          {"n_inner", c.mlp},
          {"n_positions", c.max_positions},
          {"n_ctx", c.max_positions},
          {"layer_norm_epsilon", c.norm_epsilon},
          {"activation_function", activation_name(c.activation)},
          {"resid_pdrop", 0.0},
          {"embd_pdrop", 0.0},
          {"attn_pdrop", 0.0},
          {"tie_word_embeddings", c.tied_head},
          {"initializer_range", c.initializer_range}};
}

void add_norm(std::vector<ParameterSpec>& specs, const DecoderConfig& c, const std::string& name,
              const std::string& source) {
  specs.push_back({name + ".weight", {c.hidden}, {{source + ".weight", c.hidden}}, Initial::ones});
  if (c.norm == Norm::layer)
    specs.push_back({name + ".bias", {c.hidden}, {{source + ".bias", c.hidden}}, Initial::zeros});
}

// A linear layer whose rows come from one or more stored ones.
void add_linear(std::vector<ParameterSpec>& specs, const std::string& name, int64_t in,
                std::vector<Source> parts, bool bias, Initial initial = Initial::normal) {
  int64_t out = 0;
  ParameterSpec weight{name + ".weight", {}, {}, initial}, shift{name + ".bias", {}, {}, Initial::zeros};
  for (const Source& part : parts) {
    weight.sources.push_back({part.name + ".weight", part.rows, part.transposed});
    shift.sources.push_back({part.name + ".bias", part.rows});
    out += part.rows;
  }
  weight.shape = {out, in};
  shift.shape = {out};
  specs.push_back(std::move(weight));
  if (bias) specs.push_back(std::move(shift));
}

std::vector<ParameterSpec> llama_parameters(const DecoderConfig& c) {
  std::vector<ParameterSpec> specs = {
      {"embedding.weight", {c.vocabulary, c.hidden}, {{"model.embed_tokens.weight", c.vocabulary}}}};
  const int64_t queries = c.heads * c.head_size, keys = c.kv_heads * c.head_size;
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string ours = "layers." + std::to_string(layer) + ".", theirs = "model." + ours;
    const std::string attention = theirs + "self_attn.", mlp = theirs + "mlp.";
    add_norm(specs, c, ours + "attention_norm", theirs + "input_layernorm");
    add_linear(specs, ours + "qkv", c.hidden,
               {{attention + "q_proj", queries}, {attention + "k_proj", keys}, {attention + "v_proj", keys}},
               c.qkv_bias);
    add_linear(specs, ours + "attention_out", queries, {{attention + "o_proj", c.hidden}},
               c.attention_out_bias, Initial::normal_residual);
    add_norm(specs, c, ours + "mlp_norm", theirs + "post_attention_layernorm");
    add_linear(specs, ours + "up", c.hidden, {{mlp + "gate_proj", c.mlp}, {mlp + "up_proj", c.mlp}},
               c.mlp_bias);
    add_linear(specs, ours + "down", c.mlp, {{mlp + "down_proj", c.hidden}}, c.mlp_bias,
               Initial::normal_residual);
  }
  add_norm(specs, c, "norm", "model.norm");
  return specs;
}

std::vector<ParameterSpec> gpt2_parameters(const DecoderConfig& c) {
  std::vector<ParameterSpec> specs = {
      {"embedding.weight", {c.vocabulary, c.hidden}, {{"transformer.wte.weight", c.vocabulary}}},
      {"positions.weight", {c.max_positions, c.hidden}, {{"transformer.wpe.weight", c.max_positions}}}};
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string ours = "layers." + std::to_string(layer) + ".";
    const std::string theirs = "transformer.h." + std::to_string(layer) + ".";
    add_norm(specs, c, ours + "attention_norm", theirs + "ln_1");
    add_linear(specs, ours + "qkv", c.hidden, {{theirs + "attn.c_attn", 3 * c.hidden, true}}, true);
    add_linear(specs, ours + "attention_out", c.hidden, {{theirs + "attn.c_proj", c.hidden, true}}, true,
               Initial::normal_residual);
    add_norm(specs, c, ours + "mlp_norm", theirs + "ln_2");
    add_linear(specs, ours + "up", c.hidden, {{theirs + "mlp.c_fc", c.mlp, true}}, true);
    add_linear(specs, ours + "down", c.mlp, {{theirs + "mlp.c_proj", c.hidden, true}}, true,
               Initial::normal_residual);
  }
  add_norm(specs, c, "norm", "transformer.ln_f");
  return specs;
}

const std::vector<Family>& families() {
  static const std::vector<Family> table = {
      {"llama", "LlamaForCausalLM", "LlamaForSequenceClassification", "model.", read_llama, write_llama,
       llama_parameters},
      {"qwen2", "Qwen2ForCausalLM", "Qwen2ForSequenceClassification", "model.", read_qwen2, write_qwen2,
       llama_parameters},
      {"gpt2", "GPT2LMHeadModel", "GPT2ForSequenceClassification", "transformer.", read_gpt2, write_gpt2,
       gpt2_parameters},
  };
  return table;
}

}  // namespace

const Family& family_named(const std::string& model_type, const std::string& where) {
  std::string known;
  for (const Family& family : families()) {
    if (family.model_type == model_type) return family;
    known += (known.empty() ? "" : ", ") + family.model_type;
  }
  throw Error(where, "expected a model_type among " + known + ", got \"" + model_type + "\"");
}

const Family& family_of(const Json& config, const std::string& where) {
  return family_named(json_get<std::string>(config, "model_type", "", where), where);
}

std::vector<ParameterSpec> parameter_specs(const Family& family, const DecoderConfig& config, HeadKind head,
                                           int64_t labels) {
  std::vector<ParameterSpec> specs = family.parameters(config);
  if (head == HeadKind::language && !config.tied_head)
    specs.push_back(
        {"head.weight", {config.vocabulary, config.hidden}, {{"lm_head.weight", config.vocabulary}}});
  if (head == HeadKind::scalar)
    specs.push_back({"head.weight", {labels, config.hidden}, {{"score.weight", labels}}});
  return specs;
}

void check_config(const DecoderConfig& c, const std::string& where) {
  if (c.heads % c.kv_heads != 0)
    throw Error(where, "expected heads a multiple of key heads, got " + std::to_string(c.heads) + " and " +
                           std::to_string(c.kv_heads));
  if (c.positions == Positions::rotary && c.head_size % 2 != 0)
    throw Error(where, "expected an even head size for rotary positions, got " + std::to_string(c.head_size));
  if (c.positions == Positions::learned && c.heads * c.head_size != c.hidden)
    throw Error(where, "expected the hidden size a multiple of heads, got " + std::to_string(c.hidden) +
                           " and " + std::to_string(c.heads));
}

}  // namespace keel
