// Dispatch from the table of commands; errors become one line and an exit status: 2 for wrong usage, 1 for
// failure.
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>

#include "keel/base/environment.h"
#include "keel/base/error.h"
#include "keel/base/interrupt.h"
#include "keel/base/version.h"
#include "keel/pipeline/stages.h"
#include "keel/tensors/device.h"
#include "keel/tensors/tensor_heap.h"

namespace {

using keel::Stage;

// "feedback export" is two words: the longest name that the arguments begin with.
const Stage& find_stage(const std::vector<std::string>& arguments, size_t& words) {
  words = 1;
  if (arguments.size() > 1 && !arguments[1].starts_with("-"))
    for (const Stage& stage : keel::stages())
      if (stage.name == arguments[0] + " " + arguments[1]) return words = 2, stage;
  return keel::stage_named(arguments[0], "keel");
}

int run(const std::vector<std::string>& arguments, char** argv) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    std::cout << keel::program_help();
    return arguments.empty() ? 2 : 0;
  }
  if (arguments[0] == "--version") {
    std::cout << keel::kVersion << "\n";
    return 0;
  }
  if (arguments[0] == "--devices") {
    for (const std::string& name : keel::device_names()) std::cout << name << "\n";
    return 0;
  }
  size_t words = 0;
  const Stage& stage = find_stage(arguments, words);
  const std::vector<std::string> rest(arguments.begin() + static_cast<std::ptrdiff_t>(words),
                                      arguments.end());
  for (const std::string& argument : rest)
    if (argument == "--help" || argument == "-h") {
      std::cout << keel::stage_help(stage);
      return 0;
    }
  const auto options = stage.options();
  keel::parse_flags(*options, rest);
  keel::restart_with_environment(argv);  // loads libtorch again: only for what computes
  keel::use_tensor_heap();
  stage.run(*options);
  return 0;
}

// The first line of a message: libtorch's go on with a stack.
int fail(const std::string& message, int status) {
  std::cerr << "keel: " << message.substr(0, message.find('\n')) << "\n";
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  keel::install_interrupt_handler();
  try {
    return run({argv + 1, argv + argc}, argv);
  } catch (const keel::UsageError& error) {
    return fail(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return fail(
        "[memory] expected enough memory, got none left: use a smaller --batch-size or --micro-batch-size",
        1);
  } catch (const std::exception& error) {
    return fail(error.what(), 1);
  }
}
