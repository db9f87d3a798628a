// A recipe: stages with their options, read from YAML.
//
//   output: runs/online
//   seed: 7
//   stages:
//     sft: {command: sft, model: base/final, data: demos.jsonl, output: sft, steps: 200}
//   rounds:
//     count: 3
//     first: {policy: sft/final, arms: [sft=samples/sft.jsonl]}
//     then: {policy: ppo-$round/final, arms: [$arms, ppo-$round=samples/ppo-$round.jsonl]}
//     stages:
//       ppo: {command: ppo, model: $policy, data: prompts.jsonl, output: ppo-$round}
//
// Paths of outputs lie in the recipe's output folder; an input that an earlier stage makes is found there,
// any other is taken as it stands. A stage without a seed gets the recipe's. "<<: *anchor" takes the options
// of another stage first.
//
// The stages of rounds come behind the others, once a round, and are called ppo-1, ppo-2, ... In their values
// $round is the round's number; `first` says what other names stand for in the first round, `then`, read with
// a round's own values, in the one behind it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "keel/config/options.h"
#include "keel/pipeline/stages.h"

namespace keel {

struct RecipeStage {
  std::string name;
  std::string written;  // as the recipe has it: without the number of its round
  const Stage* stage = nullptr;
  std::unique_ptr<Options> options;
};

struct Recipe {
  std::filesystem::path output;
  std::vector<RecipeStage> stages;
};

/// What the command line says of a recipe.
struct RecipeRequest {
  std::string file;
  std::string output;            // "": the recipe's
  int64_t seed = -1;             // -1: the recipe's
  std::vector<std::string> set;  // stage.option=value; a stage of rounds with its number or, for all, without
};

/// The file, under its stages, that says what was done.
constexpr const char* kLedgerName = "stages.json";

/// Errors: UsageError [file:line] what is no recipe, an unknown command, option, variable or stage.
Recipe read_recipe(const RecipeRequest& request);

/// "name=path" or "path": what stands before the path, and the path.
std::pair<std::string, std::string> split_name(const std::string& value);

/// A store in a database: no path.
bool is_address(const std::string& value);

/// Calls change(text) for each path of a field.
void for_each_path(const Field& field, const std::function<void(std::string&)>& change);

}  // namespace keel
