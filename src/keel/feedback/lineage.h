// From what a model was trained on back to the judgements: a run's frozen rows name theirs by key, the store
// knows who said it, when, and what became of it since.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "keel/base/json.h"
#include "keel/feedback/store.h"

namespace keel::feedback {

/// A judgement that a run learned from.
struct Origin {
  std::string key = {};
  int64_t line = 0;        // of the run's rows
  bool known = false;      // the store has it; what follows is empty without it
  bool corrected = false;  // by a later one of its annotator: the run learned from what no longer stands
  bool redacted = false;   // a text that it speaks of was taken out since
  int64_t judgement = 0, event = 0, at = 0;  // at: seconds since 1970
  std::string annotator = {}, kind = {}, type = {};
  double weight = 1;    // that the row had
  bool turned = false;  // the row says the contrary (--weigh reliability)
};

/// Every row of the file, in its order. Errors: [path:line] a row without a key: it does not come from a
/// store.
std::vector<Origin> lineage(Store& store, const std::filesystem::path& rows);

/// The rows that a run learned from, by its manifest: the frozen file beside it. `run`: the run's folder, or
/// its final/. Errors: [run] no run, or one that did not learn from rows; [rows] a file that changed since.
std::filesystem::path rows_of_run(const std::filesystem::path& run);

/// {judgements, unknown, corrected, redacted, turned, first_at, last_at, annotators: [{name, kind,
/// judgements, weight, corrected}]}.
Json lineage_json(const std::vector<Origin>& origins);
std::string lineage_text(const std::vector<Origin>& origins);

}  // namespace keel::feedback
