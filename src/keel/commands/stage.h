// A command of a program: what it is called, its options, what it does. The command line, `keel run`, the
// help and the pages under docs/commands/ are made from tables of them.
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

/// A row of a table for options of type O.
template <class O>
Stage make_stage(std::string name, std::string summary, std::string notes, void (*run)(O&)) {
  return {std::move(name), std::move(summary), std::move(notes), [] { return std::make_unique<O>(); },
          [run](Options& options) { run(dynamic_cast<O&>(options)); }};
}

/// Errors: UsageError at `where` that names the nearest command.
const Stage& stage_in(const std::vector<Stage>& table, const std::string& name, const std::string& where);

/// Text of `keel <command> --help`, `program` being "keel".
std::string stage_help(const std::string& program, const Stage& stage);
/// A page of docs/commands/: summary, usage, the table of options.
std::string stage_markdown(const Stage& stage);

// The rows that need no torch, by the file of this folder that has them.
std::vector<Stage> feedback_stages();
std::vector<Stage> store_stages();
std::vector<Stage> account_stages();
std::vector<Stage> reliability_stages();
std::vector<Stage> row_stages();

}  // namespace keel
