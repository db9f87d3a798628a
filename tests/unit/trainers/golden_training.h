// What the golden tests of the trainers share: rows of a golden file, and how far trained weights are from
// its.
#pragma once

#include "keel/data/examples.h"
#include "keel/models/model_folder.h"
#include "tensors/golden_tensors.h"
#include "test_data.h"

namespace keel::testing_reference {

/// The rows that <prefix>tokens and <prefix>offsets pack.
inline std::vector<std::vector<int64_t>> unpack(const GoldenTensors& file, const std::string& prefix) {
  const auto tokens = ids_of(file[prefix + "tokens"]), offsets = ids_of(file[prefix + "offsets"]);
  std::vector<std::vector<int64_t>> rows;
  for (size_t i = 1; i < offsets.size(); ++i)
    rows.emplace_back(tokens.begin() + offsets[i - 1], tokens.begin() + offsets[i]);
  return rows;
}

/// <step>{prompt,chosen,rejected}_{tokens,offsets} as examples.
inline std::vector<Example> preferences(const GoldenTensors& file, const std::string& step) {
  const auto prompts = unpack(file, step + "prompt_"), chosen = unpack(file, step + "chosen_"),
             rejected = unpack(file, step + "rejected_");
  std::vector<Example> examples;
  for (size_t i = 0; i < prompts.size(); ++i)
    examples.push_back({.prompt = prompts[i], .completions = {chosen[i], rejected[i]}, .ranks = {1, 2}});
  return examples;
}

/// ‖Δw − Δw_TRL‖ / ‖Δw_TRL‖ over all weights of a model.
inline double relative_error(const Model& model, const std::filesystem::path& start,
                             const GoldenTensors& wanted, const std::string& prefix) {
  const TemporaryFolder folder;
  save_model(model, folder.path());
  const GoldenTensors got(folder.path() / "model.safetensors"), before(start / "model.safetensors");
  double error = 0, change = 0;
  const SafetensorsFile names(start / "model.safetensors");
  for (const TensorBytes& tensor : names.tensors()) {
    const Tensor goal = wanted[prefix + tensor.name], origin = before[tensor.name].to(at::kDouble);
    error += (got[tensor.name] - goal).square().sum().item().toDouble();
    change += (goal - origin).square().sum().item().toDouble();
  }
  return std::sqrt(error / change);
}

}  // namespace keel::testing_reference
