// Tasks out of a file of JSON lines, for what add_rankings does not ask: ratings, labels, texts to write.
//
//   {"kind": "rating", "prompt": "...", "completions": ["..."], "copies": 2, "priority": 1,
//    "details": {"dimensions": ["helpful", "honest"], "scale": [1, 7]}}
//
// A completion is a text, or {"text": ..., "model": ...}. Only kind and prompt are required. What a page
// reads of details: question, dimensions and scale (of ratings), strength (true: a preference says how strong
// it is), warning (shown before the texts), gold (what a right answer is, gold.h; never shown), qualification
// (true: asked first, and others only of whoever is right often enough).
#pragma once

#include <cstdint>
#include <filesystem>

#include "keel/feedback/store.h"

namespace keel::feedback {

struct TaskCounts {
  int64_t read = 0;
  int64_t added = 0;  // the others were there before
};

/// All in one commit. Errors: [file:line] not JSON, a missing or wrong field, a task that does not fit.
TaskCounts add_task_rows(Store& store, const std::filesystem::path& path);

}  // namespace keel::feedback
