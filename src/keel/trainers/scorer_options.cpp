#include "keel/trainers/scorer_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/trainers/inputs.h"

namespace keel {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEnsembleName = "ensemble.json";

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

struct NamedWeight {
  std::string name;
  double weight = 0;
};

NamedWeight named_weight(const std::string& text) {
  const size_t equals = text.rfind('=');
  NamedWeight result{text.substr(0, equals)};
  const char *begin = text.data() + equals + 1, *end = text.data() + text.size();
  const bool number = equals != std::string::npos &&
                      std::from_chars(begin, end, result.weight) == std::from_chars_result{end, std::errc{}};
  if (!number || !std::isfinite(result.weight))
    throw UsageError("--head-weights", "expected name=number, got " + text);
  return result;
}

}  // namespace

void ScorerOptions::visit(OptionVisitor& v, const std::string& name, const std::string& help, bool required) {
  v(&models, name, help, required ? required_input() : input());
  v(&head_weights, "head_weights",
    "Of a head with several labels: what each weighs in the reward, as name=number; default: what the "
    "model's "
    "folder says.");
  v(&ensemble, "ensemble",
    "How several reward models become one: their mean, their minimum, or the mean less a multiple of their "
    "deviation.",
    one_of({"mean", "minimum", "mean_minus_deviation"}));
  v(&ensemble_lambda, "ensemble_lambda", "The multiple.", at_least(0));
}

std::vector<std::string> ScorerOptions::folders() const {
  std::vector<std::string> all;
  for (const std::string& path : models) {
    const fs::path list = fs::path(path) / kEnsembleName;
    if (fs::exists(list)) {
      for (const auto& member :
           json_get<std::vector<std::string>>(read_json(list), "members", {}, list.string()))
        all.push_back((fs::path(path) / member).string());
    } else if (fs::exists(member_folder(path, 1))) {
      throw Error(path,
                  "expected the members of a finished ensemble, got a run that was cut: start it again");
    } else {
      all.push_back(path);
    }
  }
  return all;
}

std::vector<Model> ScorerOptions::open(const Compute& compute) const {
  std::vector<Model> members;
  for (const std::string& folder : folders())
    members.push_back(open_reward_model(folder, compute, head_weights));
  return members;
}

fs::path member_folder(const fs::path& run, int64_t member) {
  return run / ("member-" + std::to_string(member));
}

void write_ensemble(const fs::path& run, int64_t members) {
  Json list = Json::array();
  for (int64_t member = 1; member <= members; ++member)
    list.push_back((member_folder("", member) / "final").string());
  write_file_atomically(run / kEnsembleName, json_text({{"members", list}}, 2) + "\n");
}

void set_head_weights(Model& model, const std::vector<std::string>& weights) {
  if (weights.empty()) return;
  Head& head = model.head;
  if (head.weight.size(0) == 1)
    throw UsageError("--head-weights",
                     "expected a reward model of several labels, got one in " + model.folder.string());
  std::vector<double> mix(head.labels.size());
  for (const std::string& text : weights) {
    const NamedWeight given = named_weight(text);
    const auto label = std::find(head.labels.begin(), head.labels.end(), given.name);
    if (label == head.labels.end())
      throw UsageError("--head-weights", "expected labels among " + joined(head.labels) + " of " +
                                             model.folder.string() + ", got " + given.name);
    mix[static_cast<size_t>(label - head.labels.begin())] = given.weight;
  }
  if (mix != head.mix) head.shift = 0;
  head.mix = mix;
}

}  // namespace keel
