#include "keel/commands/stage.h"

#include "keel/base/error.h"

namespace keel {
namespace {

// What a page says before its options.
std::string heading(std::string text, const Stage& stage) {
  return text.append(stage.summary).append("\n\n").append(stage.notes).append("\n\n");
}

}  // namespace

const Stage& stage_in(const std::vector<Stage>& table, const std::string& name, const std::string& where) {
  std::vector<std::string> names;
  for (const Stage& stage : table) {
    if (stage.name == name) return stage;
    names.push_back(stage.name);
  }
  const std::string near = nearest_name(name, names);
  throw UsageError(where, "expected a command, got unknown \"" + name + "\"" +
                              (near.empty() ? ": keel --help lists them" : ": did you mean " + near + "?"));
}

std::string stage_help(const std::string& program, const Stage& stage) {
  return heading(program + " " + stage.name + ": ", stage) + options_help(*stage.options());
}

std::string stage_markdown(const Stage& stage) {
  return heading("# keel " + stage.name + "\n\n", stage) + options_markdown(*stage.options());
}

}  // namespace keel
