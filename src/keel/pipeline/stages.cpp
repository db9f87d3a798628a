#include "keel/pipeline/stages.h"

#include "keel/base/error.h"
#include "keel/base/version.h"

namespace keel {

const std::vector<Stage>& stages() {
  static const std::vector<Stage> table = [] {
    std::vector<Stage> all;
    for (auto part : {training_stages, text_stages, row_stages, feedback_stages, store_stages,
                      reliability_stages, evaluation_stages, run_stages})
      for (Stage& stage : part()) all.push_back(std::move(stage));
    return all;
  }();
  return table;
}

namespace {

// What a page says before its options.
std::string heading(std::string text, const Stage& stage) {
  return text.append(stage.summary).append("\n\n").append(stage.notes).append("\n\n");
}

}  // namespace

const Stage& stage_named(const std::string& name, const std::string& where) {
  std::vector<std::string> names;
  for (const Stage& stage : stages()) {
    if (stage.name == name) return stage;
    names.push_back(stage.name);
  }
  const std::string near = nearest_name(name, names);
  throw UsageError(where, "expected a command, got unknown \"" + name + "\"" +
                              (near.empty() ? ": keel --help lists them" : ": did you mean " + near + "?"));
}

std::string program_help() {
  std::string text = "keel ";
  text.append(kVersion).append(": reinforcement learning from human feedback, whole.\n\n");
  text += "usage: keel COMMAND [--option value ...]      keel COMMAND --help\n\n";
  for (const Stage& stage : stages()) {
    const std::string gap(stage.name.size() < 18 ? 20 - stage.name.size() : 2, ' ');
    text.append("  ").append(stage.name).append(gap).append(stage.summary).append("\n");
  }
  return text;
}

std::string stage_help(const Stage& stage) {
  return heading("keel " + stage.name + ": ", stage) + options_help(*stage.options());
}

std::string stage_markdown(const Stage& stage) {
  return heading("# keel " + stage.name + "\n\n", stage) + options_markdown(*stage.options());
}

}  // namespace keel
