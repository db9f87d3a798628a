// keel run: a whole pipeline from a YAML recipe. A stage whose command, options and inputs are as they were
// is skipped; one that was cut goes on.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <set>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/interrupt.h"
#include "keel/base/log.h"
#include "keel/base/progress.h"
#include "keel/pipeline/recipe.h"
#include "keel/pipeline/stages.h"

namespace keel {
namespace {

namespace fs = std::filesystem;

struct RunOptions : Options {
  RecipeRequest request;

  void visit(OptionVisitor& v) override {
    v(&request.file, "recipe", "The YAML file; its name may also stand alone.",
      {.required = true, .positional = true});
    v(&request.output, "output", "Instead of the recipe's output folder.");
    v(&request.seed, "seed", "Instead of the recipe's seed; -1: the recipe's.", at_least(-1));
    v(&request.set, "set", "Single options, each as stage.option=value.");
  }
};

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
        if (!value.empty() && !is_address(value)) outputs.emplace_back(value);
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

// Stores that grew in this run: what reads or goes on with them is not what it was, whatever the ledger says.
class GrownStores {
 public:
  bool touched_by(const RecipeStage& stage) const {
    bool touched = false;
    const auto look = [&](const std::string& store) { touched = touched || grown_.contains(store); };
    for_each_store(stage, true, look);
    for_each_store(stage, false, look);
    return touched;
  }
  void add(const RecipeStage& stage) {
    for_each_store(stage, false, [&](const std::string& store) { grown_.insert(store); });
  }

 private:
  static void for_each_store(const RecipeStage& stage, bool reads,
                             const std::function<void(const std::string&)>& visit) {
    for (const Field& field : fields_of(*stage.options))
      if (reads ? field.rule.reads : field.rule.writes)
        for_each_path(field, [&](std::string& value) {
          if (fs::path(value).extension() == ".db" || is_address(value)) visit(value);
        });
  }
  std::set<std::string> grown_;
};

void run_recipe(RunOptions& o) {
  Recipe recipe = read_recipe(o.request);
  fs::create_directories(recipe.output);
  Ledger ledger(recipe.output / kLedgerName);
  GrownStores grown;
  const auto began = std::chrono::steady_clock::now();
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    RecipeStage& stage = recipe.stages[i];
    const Json record = record_of(stage);
    const std::string place =
        std::to_string(i + 1) + "/" + std::to_string(recipe.stages.size()) + " " + stage.name;
    if (ledger.holds(record) && all_exist(outputs_of(stage)) && !grown.touched_by(stage)) {
      log_info(place + ": done before, skipped");
      continue;
    }
    if (ledger.has_begun(stage.name)) clear_outputs(stage);
    log_info(place + ": keel " + stage.stage->name);
    const auto start = std::chrono::steady_clock::now();
    stage.options->check();
    for (const fs::path& output : outputs_of(stage)) fs::create_directories(output.parent_path());
    stage.stage->run(*stage.options);
    grown.add(stage);
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
