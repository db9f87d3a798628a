// A program made of commands: dispatch, help, errors as one line and an exit status.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "keel/commands/stage.h"

namespace keel {

struct Program {
  std::string name = {};     // "keel"
  std::string summary = {};  // behind name and version in the help
  const std::vector<Stage>& stages;
  std::map<std::string, std::function<void()>> flags = {};  // beside --help and --version
  std::function<void(char** argv)> prepare = {};            // before a command runs
};

/// Runs what the arguments name. Returns the exit status: 2 for wrong usage, 1 for failure.
int run_program(const Program& program, int argc, char** argv);

}  // namespace keel
