#include "keel/models/average.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/tensors/checks.h"

namespace keel {
namespace {

std::string described(const std::vector<Parameter>& parameters, size_t i) {
  if (i >= parameters.size()) return "no more weights";
  return parameters[i].name + " of shape " + shape_text(parameters[i].value.sizes());
}

void check_alike(const Model& first, const Model& other) {
  const auto fail = [&](const std::string& expected, const std::string& got) {
    throw Error(other.folder.string(), "expected " + expected + " as in " + first.folder.string() + ", got " +
                                           got + ": only models of one architecture have a mean");
  };
  if (other.family != first.family) fail("a " + first.family->model_type, "a " + other.family->model_type);
  const std::vector<Parameter> ours = first.parameters(), theirs = other.parameters();
  for (size_t i = 0; i < std::max(ours.size(), theirs.size()); ++i) {
    const std::string expected = described(ours, i), got = described(theirs, i);
    if (expected != got) fail(expected, got);
  }
  const Head &head = other.head, &wanted = first.head;
  if (head.kind != wanted.kind || head.reward_label != wanted.reward_label || head.mix != wanted.mix ||
      head.labels != wanted.labels || head.pad_id != wanted.pad_id)
    fail("its kind of head, labels, label of the reward and pad_token_id", "others");
}

}  // namespace

Model average_models(std::span<const Model> models) {
  Model mean = clone_model(models[0]);
  const auto count = static_cast<double>(models.size());
  const std::vector<Parameter> means = mean.parameters();
  std::vector<Tensor> sums;
  for (const Parameter& p : means) sums.push_back(at::zeros_like(p.value, at::kDouble));
  mean.head.shift = 0;
  for (const Model& model : models) {
    check_alike(models[0], model);
    const std::vector<Parameter> parameters = model.parameters();
    for (size_t i = 0; i < sums.size(); ++i) sums[i].add_(parameters[i].value);
    mean.head.shift += model.head.shift / count;
  }
  for (size_t i = 0; i < sums.size(); ++i) means[i].value.copy_(sums[i] / count);
  return mean;
}

}  // namespace keel
