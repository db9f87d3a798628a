// keel run: a whole pipeline from a YAML recipe. A stage whose command, options and inputs are as they were
// is skipped; one that was cut goes on.
//
//   output: runs/demo
//   seed: 7
//   stages:
//     sft: {command: sft, model: base/final, data: demos.jsonl, output: sft, steps: 200}
//
// Paths of outputs lie in the recipe's output folder; an input that an earlier stage makes is found there,
// any other is taken as it stands. A stage without a seed gets the recipe's. "<<: *anchor" takes the options
// of another stage first.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <set>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/interrupt.h"
#include "keel/base/log.h"
#include "keel/base/progress.h"
#include "keel/config/yaml_options.h"
#include "keel/pipeline/stages.h"

namespace keel {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLedgerName = "stages.json";

struct RunOptions : Options {
  std::string recipe, output;
  int64_t seed = -1;
  std::vector<std::string> set;

  void visit(OptionVisitor& v) override {
    v(&recipe, "recipe", "The YAML file; its name may also stand alone.",
      {.required = true, .positional = true});
    v(&output, "output", "Instead of the recipe's output folder.");
    v(&seed, "seed", "Instead of the recipe's seed; -1: the recipe's.", at_least(-1));
    v(&set, "set", "Single options, each as stage.option=value.");
  }
};

struct RecipeStage {
  std::string name;
  const Stage* stage = nullptr;
  std::unique_ptr<Options> options;
};

struct Recipe {
  fs::path output;
  std::vector<RecipeStage> stages;
};

// "name=path" or "path": the part that is a path.
std::pair<std::string, std::string> split_name(const std::string& value) {
  const size_t equals = value.find('=');
  return equals == std::string::npos ? std::pair<std::string, std::string>{"", value}
                                     : std::pair{value.substr(0, equals + 1), value.substr(equals + 1)};
}

bool is_below(const fs::path& path, const std::set<std::string>& made) {
  for (fs::path part = path; !part.empty() && part != part.parent_path(); part = part.parent_path())
    if (made.contains(part.string())) return true;
  return false;
}

// Calls change(text) for each path of a field.
void for_each_path(const Field& field, const std::function<void(std::string&)>& change) {
  if (auto* text = std::get_if<std::string*>(&field.value)) change(**text);
  if (auto* list = std::get_if<std::vector<std::string>*>(&field.value))
    for (std::string& item : **list) change(item);
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
        if (value.empty()) return;
        made.insert(value);
        value = (output / value).string();
      });
}

// What --set says of one stage, over what the recipe says.
void apply_single_options(Options& options, const std::string& stage, const RunOptions& o) {
  for (const std::string& item : o.set) {
    const auto [key, value] = split_name(item);
    const size_t dot = key.find('.');
    if (dot == std::string::npos || key.empty())
      throw UsageError("--set", "expected stage.option=value, got " + item);
    if (key.substr(0, dot) == stage)
      set_option(options, key.substr(dot + 1, key.size() - dot - 2), {value}, "--set " + item);
  }
}

// A misspelt stage would otherwise leave its option unset in silence.
void check_names(const RunOptions& o, const Recipe& recipe) {
  for (const std::string& item : o.set) {
    const std::string name = item.substr(0, item.find('.'));
    if (std::none_of(recipe.stages.begin(), recipe.stages.end(),
                     [&](const RecipeStage& stage) { return stage.name == name; }))
      throw UsageError("--set", "expected a stage of " + o.recipe + ", got " + item);
  }
}

RecipeStage read_stage(const YAML::Node& key, const YAML::Node& node, const RunOptions& o, int64_t seed) {
  const std::string name = yaml_text(key, o.recipe), place = yaml_place(key, o.recipe);
  if (!node.IsMap()) throw UsageError(place, "expected a mapping with a command for " + name);
  const YAML::Node base = node["<<"];  // YAML's merge key: another stage's options, before this one's own
  const YAML::Node command = !node["command"] && base && base.IsMap() ? base["command"] : node["command"];
  if (!command) throw UsageError(place, "expected a mapping with a command for " + name);
  RecipeStage stage{name, &stage_named(yaml_text(command, o.recipe), yaml_place(command, o.recipe)), nullptr};
  stage.options = stage.stage->options();
  for (const Field& field : fields_of(*stage.options))
    if (field.name == "seed") set_field(field, std::to_string(seed), place);
  if (base) apply_yaml(*stage.options, base, o.recipe, {"command"});
  apply_yaml(*stage.options, node, o.recipe, {"command", "<<"});
  apply_single_options(*stage.options, name, o);
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

Recipe read_recipe(const RunOptions& o) {
  const YAML::Node root = load_yaml(o.recipe);
  if (!root.IsMap() || !root["stages"] || !root["stages"].IsMap())
    throw UsageError(o.recipe, "expected output, seed and a mapping of stages");
  RecipeHead head;
  apply_yaml(head, root, o.recipe, {"stages"});
  Recipe recipe{o.output.empty() ? head.output : o.output, {}};
  const int64_t seed = o.seed >= 0 ? o.seed : head.seed;
  std::set<std::string> made = {kLedgerName};
  for (const auto& entry : root["stages"]) {
    recipe.stages.push_back(read_stage(entry.first, entry.second, o, seed));
    place_paths(*recipe.stages.back().options, recipe.output, made);
  }
  check_names(o, recipe);
  return recipe;
}

// Whether a stage that reads this must run again when it changes. A store grows with every judgement, and the
// ledger with every stage: neither is part of what a result depends on.
bool counts_as_content(const fs::path& path) {
  return fs::exists(path) && path.extension() != ".db" && path.filename() != kLedgerName;
}

// What a stage's result depends on: its command, its options, and the content of what it reads.
Json record_of(const RecipeStage& stage) {
  Json inputs = Json::object();
  for (const Field& field : fields_of(*stage.options))
    if (field.rule.reads)
      for_each_path(field, [&](std::string& value) {
        const fs::path path = split_name(value).second;
        if (!value.empty() && counts_as_content(path)) inputs[path.string()] = sha256_of_path(path);
      });
  return {{"name", stage.name},
          {"command", stage.stage->name},
          {"options", options_json(*stage.options)},
          {"inputs", inputs}};
}

std::vector<fs::path> outputs_of(const RecipeStage& stage) {
  std::vector<fs::path> outputs;
  for (const Field& field : fields_of(*stage.options))
    if (field.rule.writes)
      for_each_path(field, [&](std::string& value) {
        if (!value.empty()) outputs.emplace_back(value);
      });
  return outputs;
}

bool all_exist(const std::vector<fs::path>& paths) {
  return std::all_of(paths.begin(), paths.end(), [](const fs::path& path) { return fs::exists(path); });
}

// stages.json: what was done, in order, with seconds.
class Ledger {
 public:
  explicit Ledger(fs::path path) : path_(std::move(path)) {
    if (fs::exists(path_)) stages_ = read_json(path_)["stages"];
  }
  // The record of a finished stage with these inputs and options.
  bool holds(const Json& record) const {
    return std::any_of(stages_.begin(), stages_.end(), [&](Json stage) {
      stage.erase("seconds");
      return stage == record;
    });
  }
  bool has_begun(const std::string& name) const {
    return std::any_of(stages_.begin(), stages_.end(),
                       [&](const Json& stage) { return stage["name"] == name; });
  }
  void add(Json record, double seconds) {
    Json kept = Json::array();
    for (Json& stage : stages_)
      if (stage["name"] != record["name"]) kept.push_back(std::move(stage));
    record["seconds"] = seconds;
    kept.push_back(std::move(record));
    stages_ = std::move(kept);
    write_file_atomically(path_, json_text({{"stages", stages_}}, 2) + "\n");
  }

 private:
  fs::path path_;
  Json stages_ = Json::array();
};

// What an earlier recipe left under this name is in the way of a run that differs. Stores are never removed.
void clear_outputs(const RecipeStage& stage) {
  for (const fs::path& output : outputs_of(stage))
    if (fs::is_directory(output)) fs::remove_all(output);
}

void run_recipe(RunOptions& o) {
  Recipe recipe = read_recipe(o);
  fs::create_directories(recipe.output);
  Ledger ledger(recipe.output / kLedgerName);
  const auto began = std::chrono::steady_clock::now();
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    RecipeStage& stage = recipe.stages[i];
    const Json record = record_of(stage);
    const std::string place =
        std::to_string(i + 1) + "/" + std::to_string(recipe.stages.size()) + " " + stage.name;
    if (ledger.holds(record) && all_exist(outputs_of(stage))) {
      log_info(place + ": done before, skipped");
      continue;
    }
    if (ledger.has_begun(stage.name)) clear_outputs(stage);
    log_info(place + ": keel " + stage.stage->name);
    const auto start = std::chrono::steady_clock::now();
    stage.options->check();
    for (const fs::path& output : outputs_of(stage)) fs::create_directories(output.parent_path());
    stage.stage->run(*stage.options);
    ledger.add(record, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    throw_if_interrupted();
  }
  log_info("all stages done in " +
           duration_text(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count()));
}

struct DocsOptions : Options {
  std::string output = "docs/commands";
  void visit(OptionVisitor& v) override {
    v(&output, "output", "The folder of the pages.", {.writes = true});
  }
};

void write_docs(DocsOptions& o) {
  fs::create_directories(o.output);
  std::string index = "# Commands\n\nMade by `keel docs` from the table of commands.\n\n";
  for (const Stage& stage : stages()) {
    std::string file = stage.name + ".md";
    std::replace(file.begin(), file.end(), ' ', '-');
    write_file_atomically(fs::path(o.output) / file, stage_markdown(stage));
    index.append("- [keel ")
        .append(stage.name)
        .append("](")
        .append(file)
        .append("): ")
        .append(stage.summary)
        .append("\n");
  }
  write_file_atomically(fs::path(o.output) / "README.md", index);
}

}  // namespace

std::vector<Stage> run_stages() {
  return {make_stage("docs", "Write the pages of docs/commands/ from the table of commands.",
                     "A test fails when the pages are not what the program would write.\n\n    keel docs "
                     "--output docs/commands",
                     &write_docs),

          make_stage("run", "Run a whole pipeline from a YAML recipe; what is done is skipped.",
                     "See `recipes/`. A stage whose command, options and inputs have not changed is skipped; "
                     "one that was cut goes on. `--set stage.option=value` changes one option.\n\n    keel "
                     "run --recipe recipes/demo.yaml --output runs/mine --seed 3",
                     &run_recipe)};
}

}  // namespace keel
