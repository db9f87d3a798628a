#include "keel/pipeline/recipe.h"

#include <algorithm>
#include <set>

#include "keel/base/error.h"
#include "keel/config/yaml_options.h"

namespace keel {
namespace {

namespace fs = std::filesystem;

bool is_below(const fs::path& path, const std::set<std::string>& made) {
  for (fs::path part = path; !part.empty() && part != part.parent_path(); part = part.parent_path())
    if (made.contains(part.string())) return true;
  return false;
}

void place_paths(Options& options, const fs::path& output, std::set<std::string>& made) {
  for (const Field& field : fields_of(options))
    if (field.rule.reads)
      for_each_path(field, [&](std::string& value) {
        const auto [name, path] = split_name(value);
        if (is_below(path, made)) value = name + (output / path).string();
      });
  for (const Field& field : fields_of(options))
    if (field.rule.writes)
      for_each_path(field, [&](std::string& value) {
        if (value.empty() || is_address(value)) return;
        made.insert(value);
        value = (output / value).string();
      });
}

bool is_called(const RecipeStage& stage, const std::string& name) {
  return stage.name == name || stage.written == name;
}

// What --set says of one stage, over what the recipe says.
void apply_single_options(RecipeStage& stage, const RecipeRequest& request) {
  for (const std::string& item : request.set) {
    const auto [key, value] = split_name(item);
    const size_t dot = key.find('.');
    if (dot == std::string::npos || key.empty())
      throw UsageError("--set", "expected stage.option=value, got " + item);
    if (is_called(stage, key.substr(0, dot)))
      set_option(*stage.options, key.substr(dot + 1, key.size() - dot - 2), {value}, "--set " + item);
  }
}

// A misspelt stage would otherwise leave its option unset in silence.
void check_names(const RecipeRequest& request, const Recipe& recipe) {
  for (const std::string& item : request.set) {
    const std::string name = item.substr(0, item.find('.'));
    if (std::none_of(recipe.stages.begin(), recipe.stages.end(),
                     [&](const RecipeStage& stage) { return is_called(stage, name); }))
      throw UsageError("--set", "expected a stage of " + request.file + ", got " + item);
  }
}

// `suffix` makes the name of a stage of rounds.
RecipeStage read_stage(const YAML::Node& key, const std::string& suffix, const YAML::Node& node,
                       const RecipeRequest& request, int64_t seed, const YamlVariables& variables) {
  const std::string name = yaml_text(key, request.file), place = yaml_place(key, request.file);
  if (!node.IsMap()) throw UsageError(place, "expected a mapping with a command for " + name);
  const YAML::Node base = node["<<"];  // YAML's merge key: another stage's options, before this one's own
  const YAML::Node command = !node["command"] && base && base.IsMap() ? base["command"] : node["command"];
  if (!command) throw UsageError(place, "expected a mapping with a command for " + name);
  RecipeStage stage{name + suffix, name,
                    &stage_named(yaml_text(command, request.file), yaml_place(command, request.file)),
                    nullptr};
  stage.options = stage.stage->options();
  for (const Field& field : fields_of(*stage.options))
    if (field.name == "seed") set_field(field, std::to_string(seed), place);
  if (base) apply_yaml(*stage.options, base, request.file, {"command"}, variables);
  apply_yaml(*stage.options, node, request.file, {"command", "<<"}, variables);
  apply_single_options(stage, request);
  return stage;
}

// What a recipe says beside its stages.
struct RecipeHead : Options {
  std::string output = "runs/run";
  int64_t seed = 1;
  void visit(OptionVisitor& v) override {
    v(&output, "output", "The folder that outputs lie in.");
    v(&seed, "seed", "Of every stage that names none.", at_least(0));
  }
};

// Reads the stages of a recipe in their order, and places their paths.
class RecipeReader {
 public:
  RecipeReader(const RecipeRequest& request, int64_t seed, Recipe& recipe)
      : request_(request), seed_(seed), recipe_(recipe) {}

  void read_stages(const YAML::Node& stages, const std::string& suffix, const YamlVariables& variables) {
    if (!stages.IsMap()) throw UsageError(yaml_place(stages, request_.file), "expected a mapping of stages");
    for (const auto& entry : stages) {
      recipe_.stages.push_back(read_stage(entry.first, suffix, entry.second, request_, seed_, variables));
      place_paths(*recipe_.stages.back().options, recipe_.output, made_);
    }
  }

  /// Returns what names stand for behind the last round.
  YamlVariables read_rounds(const YAML::Node& rounds) {
    if (!rounds.IsMap() || !rounds["stages"] || !rounds["stages"].IsMap())
      throw UsageError(yaml_place(rounds, request_.file),
                       "expected count, first, then and a mapping of stages");
    RoundsHead head;
    apply_yaml(head, rounds, request_.file, {"stages", "first", "then"});
    YamlVariables variables = values_of(rounds["first"], {});
    for (int64_t round = 1; round <= head.count; ++round) {
      const std::string number = std::to_string(round);
      variables["round"] = {number};
      read_stages(rounds["stages"], "-" + number, variables);
      for (auto& [name, values] : values_of(rounds["then"], variables)) variables[name] = values;
    }
    return variables;
  }

 private:
  struct RoundsHead : Options {
    int64_t count = 1;
    void visit(OptionVisitor& v) override { v(&count, "count", "How many rounds.", at_least(1)); }
  };

  YamlVariables values_of(const YAML::Node& mapping, const YamlVariables& variables) const {
    YamlVariables values;
    if (!mapping) return values;
    if (!mapping.IsMap())
      throw UsageError(yaml_place(mapping, request_.file), "expected a mapping of names to values");
    for (const auto& entry : mapping)
      values[yaml_text(entry.first, request_.file)] = yaml_texts(entry.second, request_.file, variables);
    return values;
  }

  const RecipeRequest& request_;
  const int64_t seed_;
  Recipe& recipe_;
  std::set<std::string> made_ = {kLedgerName};
};

}  // namespace

std::pair<std::string, std::string> split_name(const std::string& value) {
  const size_t equals = value.find('=');
  return equals == std::string::npos ? std::pair<std::string, std::string>{"", value}
                                     : std::pair{value.substr(0, equals + 1), value.substr(equals + 1)};
}

void for_each_path(const Field& field, const std::function<void(std::string&)>& change) {
  if (auto* text = std::get_if<std::string*>(&field.value)) change(**text);
  if (auto* list = std::get_if<std::vector<std::string>*>(&field.value))
    for (std::string& item : **list) change(item);
}

bool is_address(const std::string& value) {
  return value.find("://") != std::string::npos;
}

Recipe read_recipe(const RecipeRequest& request) {
  const YAML::Node root = load_yaml(request.file);
  if (!root.IsMap() || !(root["stages"] || root["rounds"]) || (root["stages"] && !root["stages"].IsMap()))
    throw UsageError(request.file, "expected output, seed and a mapping of stages");
  RecipeHead head;
  apply_yaml(head, root, request.file, {"stages", "rounds", "end"});
  Recipe recipe{request.output.empty() ? head.output : request.output, {}};
  RecipeReader reader(request, request.seed >= 0 ? request.seed : head.seed, recipe);
  if (root["stages"]) reader.read_stages(root["stages"], "", {});
  const YamlVariables variables = root["rounds"] ? reader.read_rounds(root["rounds"]) : YamlVariables();
  if (root["end"]) reader.read_stages(root["end"], "", variables);
  check_names(request, recipe);
  return recipe;
}

}  // namespace keel
