#include "keel/commands/program.h"

#include <algorithm>
#include <exception>
#include <iostream>
#include <new>

#include "keel/base/error.h"
#include "keel/base/interrupt.h"
#include "keel/base/version.h"

namespace keel {
namespace {

std::string program_help(const Program& program) {
  std::string text = program.name;
  text.append(" ").append(kVersion).append(": ").append(program.summary).append("\n\nusage: ");
  text.append(program.name).append(" COMMAND [--option value ...]      ");
  text.append(program.name).append(" COMMAND --help\n\n");
  for (const Stage& stage : program.stages) {
    const std::string gap(stage.name.size() < 18 ? 20 - stage.name.size() : 2, ' ');
    text.append("  ").append(stage.name).append(gap).append(stage.summary).append("\n");
  }
  return text;
}

// "feedback export" is two words: where commands begin with the first argument, the second one belongs to it.
const Stage& find_stage(const Program& program, const std::vector<std::string>& arguments, size_t& words) {
  words = 1;
  const bool two = arguments.size() > 1 && !arguments[1].starts_with("-") &&
                   std::any_of(program.stages.begin(), program.stages.end(), [&](const Stage& stage) {
                     return stage.name.starts_with(arguments[0] + " ");
                   });
  if (two) words = 2;
  return stage_in(program.stages, two ? arguments[0] + " " + arguments[1] : arguments[0], program.name);
}

int run(const Program& program, const std::vector<std::string>& arguments, char** argv) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    std::cout << program_help(program);
    return arguments.empty() ? 2 : 0;
  }
  if (arguments[0] == "--version") {
    std::cout << kVersion << "\n";
    return 0;
  }
  if (const auto flag = program.flags.find(arguments[0]); flag != program.flags.end()) {
    flag->second();
    return 0;
  }
  size_t words = 0;
  const Stage& stage = find_stage(program, arguments, words);
  const std::vector<std::string> rest(arguments.begin() + static_cast<std::ptrdiff_t>(words),
                                      arguments.end());
  for (const std::string& argument : rest)
    if (argument == "--help" || argument == "-h") {
      std::cout << stage_help(program.name, stage);
      return 0;
    }
  const auto options = stage.options();
  parse_flags(*options, rest);
  if (program.prepare) program.prepare(argv);
  stage.run(*options);
  return 0;
}

// The first line of a message: libtorch's go on with a stack.
int fail(const std::string& message, int status) {
  std::cerr << "keel: " << message.substr(0, message.find('\n')) << "\n";
  return status;
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
  install_interrupt_handler();
  try {
    return run(program, {argv + 1, argv + argc}, argv);
  } catch (const UsageError& error) {
    return fail(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return fail(
        "[memory] expected enough memory, got none left: use a smaller --batch-size or --micro-batch-size",
        1);
  } catch (const std::exception& error) {
    return fail(error.what(), 1);
  }
}

}  // namespace keel
