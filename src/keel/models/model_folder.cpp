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

// One label: its logit is the reward. Two: the positive class's, by its name in id2label, else the second.
int64_t reward_label(const Json& config, int64_t labels, const std::string& path) {
  if (labels == 1) return 0;
  if (labels != 2)
    throw Error(path, "expected a reward model of one or two labels, got " + std::to_string(labels));
  const Json names = json_get<Json>(config, "id2label", Json::object(), path);
  for (const auto& [index, name] : names.items()) {
    std::string lower = name.is_string() ? name.get<std::string>() : "";
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    if (lower == "positive" || lower == "pos" || lower == "good" || lower == "chosen")
      return index == "0" ? 0 : 1;
  }
  return 1;
}

// A tied head may be stored as the embedding, as the head, or as both: the missing one is the other.
void alias_tied(StoredTensors& stored, const Family& family, const std::string& embedding) {
  const TensorBytes* head = find_tensor(stored, family, "lm_head.weight");
  if (head != nullptr && find_tensor(stored, family, embedding) == nullptr) stored.by_name[embedding] = head;
}

void write_config(const Model& model, const fs::path& folder) {
  Json config = model.config_json;
  const bool scalar = model.head.kind == HeadKind::scalar;
  config["architectures"] = {scalar ? model.family->classifier_class : model.family->causal_class};
  config.erase("dtype");
  config["torch_dtype"] = model.decoder.embedding().scalar_type() == at::kDouble ? "float64" : "float32";
  config.erase("keel_reward_shift");
  if (scalar) {
    config.erase("num_labels");
    Json names = Json::object(), ids = Json::object();
    for (int64_t label = 0; label < model.head.weight.size(0); ++label) {
      const std::string name = "LABEL_" + std::to_string(label);
      names[std::to_string(label)] = name;
      ids[name] = label;
    }
    if (model.head.weight.size(0) == 1 || !config.contains("id2label"))
      config["id2label"] = names, config["label2id"] = ids;
    config["pad_token_id"] = model.head.pad_id ? Json(*model.head.pad_id) : Json();
    if (model.head.shift != 0) config["keel_reward_shift"] = model.head.shift;
  }
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

Model load_model(const fs::path& folder, at::ScalarType type) {
  if (!fs::is_directory(folder)) throw Error(folder.string(), "expected a model folder, got nothing there");
  const std::string config_path = (folder / "config.json").string();
  const Json config_json = read_json(config_path);
  const Family& family = family_of(config_json, config_path);
  const DecoderConfig config = family.read(config_json, config_path);
  check_config(config, config_path);
  StoredTensors stored = open_tensors(folder);
  const std::string path = (folder / "model.safetensors").string();
  Head head{.kind = head_kind(config_json, stored), .weight = {}};
  const int64_t labels = head.kind == HeadKind::scalar ? label_count(stored, path) : 1;
  if (head.kind == HeadKind::scalar) {
    head.reward_label = reward_label(config_json, labels, config_path);
    head.shift = json_get<double>(config_json, "keel_reward_shift", 0.0, config_path);
    if (const auto pad = json_get<int64_t>(config_json, "pad_token_id", -1, config_path); pad >= 0)
      head.pad_id = pad;
  }
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
