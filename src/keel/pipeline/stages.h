// The one table of commands. The command line, `keel run`, the help and the pages under docs/commands/ are
// made from it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "keel/config/options.h"

namespace keel {

struct Stage {
  std::string name;     // "sft", or two words: "feedback export"
  std::string summary;  // one sentence
  std::string notes;    // Markdown: what it reads and writes, and an example
  std::function<std::unique_ptr<Options>()> options;
  std::function<void(Options&)> run;
};

const std::vector<Stage>& stages();

/// Errors: UsageError at `where` that names the nearest command.
const Stage& stage_named(const std::string& name, const std::string& where);

/// A row of the table for options of type O.
template <class O>
Stage make_stage(std::string name, std::string summary, std::string notes, void (*run)(O&)) {
  return {std::move(name), std::move(summary), std::move(notes), [] { return std::make_unique<O>(); },
          [run](Options& options) { run(dynamic_cast<O&>(options)); }};
}

/// Text of `keel --help`, and of `keel <command> --help`.
std::string program_help();
std::string stage_help(const Stage& stage);
/// A page of docs/commands/: summary, usage, the table of options.
std::string stage_markdown(const Stage& stage);

// The rows that each file of this folder adds to the table.
std::vector<Stage> training_stages();
std::vector<Stage> text_stages();
std::vector<Stage> row_stages();
std::vector<Stage> feedback_stages();
std::vector<Stage> store_stages();
std::vector<Stage> reliability_stages();
std::vector<Stage> evaluation_stages();
std::vector<Stage> run_stages();

}  // namespace keel
