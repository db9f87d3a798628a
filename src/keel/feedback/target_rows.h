// One number for each completion or rating, to train a reward model on by regression (`keel reward` on rows
// with `score` or `ratings`).
//
// elo, bradley_terry        rankings: the completions of a prompt are contestants, every pair of a ranking is
//                           a battle. Numbers of all prompts together have mean 0 and deviation 1. Strengths
//                           of Bradley and Terry have a prior that puts every prompt's completions around 0.
// standardised_ratings      ratings less their annotator's mean in that dimension, over their deviation:
//                           people use a scale of seven differently. Whoever gave one number alone gives 0.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "keel/feedback/store.h"

namespace keel::feedback {

enum class Targets { none, elo, bradley_terry, standardised_ratings };
/// Errors: UsageError for any other name.
Targets targets_named(const std::string& name);

/// {"prompt", "completion", "score", "battles"} of each completion that was ranked, or a row of each rating
/// with the changed `ratings`, as JSON lines; their number. Left out: texts that were redacted.
int64_t write_target_rows(const std::vector<JudgedRow>& rows, Targets targets,
                          const std::filesystem::path& path);

}  // namespace keel::feedback
