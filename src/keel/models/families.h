// The table of model families: how a Hugging Face config.json and its tensor names become a DecoderConfig and
// Keel's parameters, and back. Adding a family is adding a row here and a golden test (docs/CONTRIBUTING.md).
#pragma once

#include <string>
#include <vector>

#include "keel/base/json.h"
#include "keel/models/decoder_config.h"

namespace keel {

/// What the last hidden state is projected on.
enum class HeadKind { none, language, scalar };

/// One tensor of a Hugging Face folder that is part of a parameter: a band of its rows.
struct Source {
  std::string name;
  int64_t rows;
  bool transposed = false;  // GPT-2's Conv1D stores (in, out)
};

enum class Initial { normal, normal_residual, zeros, ones };

/// One parameter of the decoder and where it is stored. Its rows are those of its sources, one after the
/// other.
struct ParameterSpec {
  std::string name;  // "layers.0.qkv.weight"
  std::vector<int64_t> shape;
  std::vector<Source> sources;
  Initial initial = Initial::normal;
};

struct Family {
  std::string model_type;        // "llama"
  std::string causal_class;      // "LlamaForCausalLM"
  std::string classifier_class;  // "LlamaForSequenceClassification"
  std::string base_prefix;       // "model.": left out when only the trunk was saved
  DecoderConfig (*read)(const Json& config, const std::string& where);
  Json (*write)(const DecoderConfig& config);
  std::vector<ParameterSpec> (*parameters)(const DecoderConfig& config);
};

/// Errors: [where] an unknown model_type, with the known ones named.
const Family& family_of(const Json& config, const std::string& where);
const Family& family_named(const std::string& model_type, const std::string& where);

/// The trunk's parameters of any family, then the head's: "head.weight", absent for a tied language head.
std::vector<ParameterSpec> parameter_specs(const Family& family, const DecoderConfig& config, HeadKind head,
                                           int64_t labels);

/// Errors: [where] a size that is missing, not positive or does not divide as it must.
void check_config(const DecoderConfig& config, const std::string& where);

}  // namespace keel
