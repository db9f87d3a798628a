#include "keel/models/model_folder.h"

#include <algorithm>
#include <map>
#include <set>

#include "keel/base/error.h"
#include "keel/base/log.h"
#include "keel/base/safetensors.h"

namespace keel {
namespace {

namespace fs = std::filesystem;

// Files that make up a tokenizer; copied beside every model that Keel writes.
constexpr const char* kTokenizerFiles[] = {
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json",
    "merges.txt",     "added_tokens.json",     "chat_template.jinja"};

struct StoredTensors {
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  std::map<std::string, const TensorBytes*> by_name;
};

std::set<std::string> shard_names(const fs::path& folder) {
  const fs::path index = folder / "model.safetensors.index.json";
  if (fs::exists(folder / "model.safetensors")) return {"model.safetensors"};
  if (!fs::exists(index)) {
    const bool pickle = fs::exists(folder / "pytorch_model.bin");
    throw Error(folder.string(),
                pickle ? "expected model.safetensors, got a pickle file, which can run code: convert it first"
                       : "expected model.safetensors, got no weights in this folder");
  }
  std::set<std::string> names;
  const Json weights = json_get<Json>(read_json(index), "weight_map", Json::object(), index.string());
  for (const auto& [tensor, file] : weights.items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    if (name.empty() || name.find('/') != std::string::npos || name.starts_with("."))
      throw Error(index.string(), "expected plain file names in weight_map, got " + json_text(file));
    names.insert(name);
  }
  return names;
}

StoredTensors open_tensors(const fs::path& folder) {
  StoredTensors stored;
  for (const std::string& name : shard_names(folder)) {
    stored.files.push_back(std::make_unique<SafetensorsFile>(folder / name));
    for (const TensorBytes& tensor : stored.files.back()->tensors()) stored.by_name[tensor.name] = &tensor;
  }
  return stored;
}

// "model.layers..." may be stored without its prefix when only the trunk was saved.
const TensorBytes* find_tensor(const StoredTensors& stored, const Family& family, const std::string& name) {
  for (const std::string& candidate :
       {name, name.starts_with(family.base_prefix) ? name.substr(family.base_prefix.size()) : name}) {
    const auto found = stored.by_name.find(candidate);
    if (found != stored.by_name.end()) return found->second;
  }
  return nullptr;
}

at::ScalarType scalar_type(const std::string& dtype, const std::string& where) {
  static const std::map<std::string, at::ScalarType> types = {
      {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}};
  const auto found = types.find(dtype);
  if (found == types.end())
    throw Error(where, "expected weights of dtype F32, BF16, F16 or F64, got " + dtype);
  return found->second;
}

Tensor to_tensor(const TensorBytes& stored, at::ScalarType type, const std::string& where) {
  const at::ScalarType source = scalar_type(stored.dtype, where);
  // from_blob does not write; safetensors are little-endian, as are the machines that libtorch runs on.
  const Tensor view =
      at::from_blob(const_cast<std::byte*>(stored.bytes.data()), stored.shape, at::TensorOptions(source));
  Tensor value = view.to(type, /*non_blocking=*/false, /*copy=*/true);
  if (!value.isfinite().all().item().toBool())
    throw Error(where, "expected finite weights, got NaN or infinity: the model is damaged");
  return value;
}

// A parameter is put together from its sources' rows.
Tensor assemble(const ParameterSpec& spec, const StoredTensors& stored, const Family& family,
                at::ScalarType type, const std::string& path) {
  std::vector<Tensor> parts;
  for (const Source& source : spec.sources) {
    const std::string where = path + ": " + source.name;
    const TensorBytes* bytes = find_tensor(stored, family, source.name);
    if (bytes == nullptr) throw Error(where, "expected this tensor, got none of that name");
    std::vector<int64_t> shape = spec.shape;
    shape[0] = source.rows;
    if (source.transposed) std::swap(shape[0], shape[1]);
    if (bytes->shape != shape)
      throw Error(where, "expected shape " + Json(shape).dump() + " from config.json, got " +
                             Json(bytes->shape).dump());
    const Tensor value = to_tensor(*bytes, type, where);
    parts.push_back(source.transposed ? value.t() : value);
  }
  return parts.size() == 1 ? parts.front().contiguous() : at::cat(parts);
}

HeadKind head_kind(const Json& config, const StoredTensors& stored) {
  for (const auto& name : json_get<std::vector<std::string>>(config, "architectures", {}, "config.json")) {
    if (name.ends_with("ForSequenceClassification")) return HeadKind::scalar;
    if (name.ends_with("ForCausalLM") || name.ends_with("LMHeadModel")) return HeadKind::language;
  }
  return stored.by_name.contains("score.weight") ? HeadKind::scalar : HeadKind::language;
}

int64_t label_count(const StoredTensors& stored, const std::string& path) {
  const auto found = stored.by_name.find("score.weight");
  if (found == stored.by_name.end())
    throw Error(path + ": score.weight", "expected this tensor of a classifier, got none");
  return found->second->shape.empty() ? 0 : found->second->shape[0];
}

// The names of a head's labels, by id2label; LABEL_i where it does not name one.
std::vector<std::string> label_names(const Json& config, int64_t labels, const std::string& path) {
  const Json given = json_get<Json>(config, "id2label", Json::object(), path);
  std::vector<std::string> names;
  for (int64_t label = 0; label < labels; ++label) {
    const std::string index = std::to_string(label);
    const auto found = given.find(index);
    names.push_back(found != given.end() && found->is_string() ? found->get<std::string>()
                                                               : "LABEL_" + index);
  }
  return names;
}

// One label: its logit is the reward. Two: the positive class's, by its name, else the second. Of more, or of
// two that were not trained as classes, none: they need weights.
int64_t reward_label(const Json& config, const std::vector<std::string>& names, const std::string& path) {
  if (names.size() == 1) return 0;
  if (names.size() != 2 || json_get<std::string>(config, "problem_type", "", path) == "regression") return -1;
  for (size_t label = 0; label < 2; ++label) {
    std::string lower = names[label];
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    if (lower == "positive" || lower == "pos" || lower == "good" || lower == "chosen")
      return static_cast<int64_t>(label);
  }
  return 1;
}

// The weights that Keel wrote beside a head of several labels.
std::vector<double> label_mix(const Json& config, const std::vector<std::string>& names,
                              const std::string& path) {
  const auto weights = json_get<std::map<std::string, double>>(config, "keel_head_weights", {}, path);
  std::vector<double> mix;
  if (weights.empty()) return mix;
  for (const std::string& name : names) {
    const auto found = weights.find(name);
    mix.push_back(found == weights.end() ? 0.0 : found->second);
  }
  return mix;
}

Head read_scalar_head(const Json& config, int64_t labels, const std::string& path) {
  Head head{.kind = HeadKind::scalar, .weight = {}};
  head.labels = label_names(config, labels, path);
  head.reward_label = reward_label(config, head.labels, path);
  head.mix = label_mix(config, head.labels, path);
  head.shift = json_get<double>(config, "keel_reward_shift", 0.0, path);
  if (const auto pad = json_get<int64_t>(config, "pad_token_id", -1, path); pad >= 0) head.pad_id = pad;
  return head;
}

// A tied head may be stored as the embedding, as the head, or as both: the missing one is the other.
void alias_tied(StoredTensors& stored, const Family& family, const std::string& embedding) {
  const TensorBytes* head = find_tensor(stored, family, "lm_head.weight");
  if (head != nullptr && find_tensor(stored, family, embedding) == nullptr) stored.by_name[embedding] = head;
}

// `problem_type` tells transformers, and reading, that several labels are numbers and not classes.
void write_scalar_head(const Head& head, Json& config) {
  for (const char* name : {"num_labels", "id2label", "label2id"}) config.erase(name);
  for (int64_t label = 0; label < head.weight.size(0); ++label) {
    const std::string index = std::to_string(label);
    const std::string name =
        std::cmp_less(label, head.labels.size()) ? head.labels[static_cast<size_t>(label)] : "LABEL_" + index;
    config["id2label"][index] = name;
    config["label2id"][name] = label;
    if (!head.mix.empty()) config["keel_head_weights"][name] = head.mix[static_cast<size_t>(label)];
  }
  if (!head.mix.empty()) config["problem_type"] = "regression";
  config["pad_token_id"] = head.pad_id ? Json(*head.pad_id) : Json();
  if (head.shift != 0) config["keel_reward_shift"] = head.shift;
}

void write_config(const Model& model, const fs::path& folder) {
  Json config = model.config_json;
  const bool scalar = model.head.kind == HeadKind::scalar;
  config["architectures"] = {scalar ? model.family->classifier_class : model.family->causal_class};
  config.erase("dtype");
  config["torch_dtype"] = model.decoder.embedding().scalar_type() == at::kDouble ? "float64" : "float32";
  for (const char* name : {"keel_reward_shift", "keel_head_weights"}) config.erase(name);
  if (scalar) write_scalar_head(model.head, config);
  write_file_atomically(folder / "config.json", json_text(config, 2) + "\n");
}

void collect_tensors(const Model& model, std::vector<std::pair<std::string, Tensor>>& stored) {
  const int64_t labels = model.head.kind == HeadKind::scalar ? model.head.weight.size(0) : 1;
  std::map<std::string, Tensor> values;
  for (const Parameter& parameter : model.parameters()) values[parameter.name] = parameter.value.detach();
  for (const ParameterSpec& spec : parameter_specs(*model.family, model.config(), model.head.kind, labels)) {
    int64_t row = 0;
    for (const Source& source : spec.sources) {
      const Tensor part = values.at(spec.name).slice(0, row, row + source.rows);
      stored.emplace_back(source.name, (source.transposed ? part.t() : part).contiguous().to(at::kCPU));
      row += source.rows;
    }
  }
}

}  // namespace

namespace {

// What config.json says, before any weight is read.
struct Plan {
  std::string path;
  Json json;
  const Family& family;
  DecoderConfig config;
};

Plan read_plan(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw Error(folder.string(), "expected a model folder, got nothing there");
  const std::string path = (folder / "config.json").string();
  Json json = read_json(path);
  const Family& family = family_of(json, path);
  DecoderConfig config = family.read(json, path);
  check_config(config, path);
  return {path, std::move(json), family, config};
}

}  // namespace

Model new_model_like(const fs::path& folder, uint64_t seed) {
  Plan plan = read_plan(folder);
  Model model = new_model(plan.family, plan.config, HeadKind::none, seed);
  model.config_json = std::move(plan.json);
  model.folder = folder;
  return model;
}

Model load_model(const fs::path& folder, at::ScalarType type) {
  const auto [config_path, config_json, family, config] = read_plan(folder);
  StoredTensors stored = open_tensors(folder);
  const std::string path = (folder / "model.safetensors").string();
  Head head{.kind = head_kind(config_json, stored), .weight = {}};
  const int64_t labels = head.kind == HeadKind::scalar ? label_count(stored, path) : 1;
  if (head.kind == HeadKind::scalar) head = read_scalar_head(config_json, labels, config_path);
  const auto specs = parameter_specs(family, config, head.kind, labels);
  if (config.tied_head) alias_tied(stored, family, specs.front().sources.front().name);
  std::vector<Parameter> parameters;
  for (const ParameterSpec& spec : specs) {
    const Tensor value = assemble(spec, stored, family, type, path);
    if (spec.name == "head.weight")
      head.weight = value;
    else
      parameters.push_back({spec.name, value});
  }
  Decoder decoder(config, std::move(parameters));
  if (!head.weight.defined()) head.weight = decoder.embedding();
  return {&family, config_json, std::move(decoder), head, folder, Precision::float32};
}

void save_model(const Model& model, const fs::path& folder) {
  write_config(model, folder);
  std::vector<std::pair<std::string, Tensor>> tensors;
  collect_tensors(model, tensors);
  std::vector<TensorBytes> bytes;
  for (const auto& [name, value] : tensors)
    bytes.push_back({name,
                     value.scalar_type() == at::kDouble ? "F64" : "F32",
                     value.sizes().vec(),
                     {static_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()}});
  write_safetensors(folder / "model.safetensors", bytes);
  for (const char* name : {"generation_config.json"})
    if (model.head.kind == HeadKind::language && !model.folder.empty() && fs::exists(model.folder / name))
      write_file_atomically(folder / name, read_file(model.folder / name));
  for (const char* name : kTokenizerFiles)
    if (!model.folder.empty() && fs::exists(model.folder / name))
      write_file_atomically(folder / name, read_file(model.folder / name));
}

int64_t choose_pad_id(const Model& model) {
  const std::vector<int64_t> ends = end_ids(model);
  for (const char* name : {"pad_token_id", "bos_token_id"}) {
    const auto id = json_get<int64_t>(model.config_json, name, -1, "config.json");
    if (id >= 0 && std::find(ends.begin(), ends.end(), id) == ends.end()) return id;
  }
  return ends.empty() ? 0 : ends.front();
}

std::vector<int64_t> end_ids(const Model& model) {
  Json ids = json_get<Json>(model.config_json, "eos_token_id", nullptr, "config.json");
  const fs::path generation = model.folder / "generation_config.json";
  if (!model.folder.empty() && fs::exists(generation)) {
    const Json named = json_get<Json>(read_json(generation), "eos_token_id", nullptr, generation.string());
    if (!named.is_null()) ids = named;
  }
  std::vector<int64_t> result;
  for (const Json& id : ids.is_array() ? ids : Json::array({ids}))
    if (id.is_number_integer()) result.push_back(id.get<int64_t>());
  return result;
}

}  // namespace keel
