// What keel sample writes, gathered by prompt: read by every stage that compares the answers of a prompt.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace keel {

struct SampledAnswer {
  std::string text;
  std::vector<int64_t> ids;   // as drawn, an end-of-text id among them
  std::vector<double> logps;  // of `ids`, nats
  bool finished = false;      // not cut at the length limit
};

struct SampledPrompt {
  std::string prompt;
  std::vector<SampledAnswer> answers;  // never empty
};

/// The prompts in the order of the file; neighbouring rows with equal prompts are one prompt's answers.
/// Errors: those of read_rows; [file:line] a row that keel sample does not write; [file] no rows.
std::vector<SampledPrompt> read_samples(const std::filesystem::path& path);

}  // namespace keel
