// A store's judgements as rows to train on, as they stood at one event.
//
// Human, simulated and AI judgements are never mixed in silence. The judgements of annotators that are held
// out make a second file, so that a model is measured on people it has not learned from. A row keeps its
// judgement's key and annotator: whoever reads a run's rows finds the judgements in the store again.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "keel/feedback/exchange.h"
#include "keel/feedback/store.h"
#include "keel/feedback/target_rows.h"

namespace keel::feedback {

/// What rows are wanted: comparisons are rankings and edits (the edited text over the one it was made from);
/// demonstrations are written completions and edits.
enum class Wanted { comparisons, labels, ratings, demonstrations };

struct TrainingRowsRequest {
  Wanted wanted = Wanted::comparisons;
  Kinds kinds = Kinds::human;
  int64_t last_event = 0;
  std::set<std::string> held_out = {};  // names of annotators
  /// The weight of a judgement's row, but of annotators who are held out; nothing: none is written, which is
  /// 1.
  JudgementWeight weight = {};
  /// Rankings get `scores`, of which margins are made: the mean of the ratings of each completion where all
  /// of them were rated, else how much better the best was said to be (strength, 1 to 3; the others 0), else
  /// 0.
  bool margins = false;
  /// Other than none: numbers instead of judgements (target_rows.h), without weights; those of held-out
  /// annotators are made of their judgements alone.
  Targets targets = Targets::none;
};

struct TrainingRowsCounts {
  int64_t written = 0, held_out = 0;
  int64_t turned = 0;      // of those written: say the contrary of their annotator
  int64_t unreadable = 0;  // of a text that was redacted
  int64_t overruled = 0;   // of a task on which a lead has said the last word
};

/// Both files appear whole; `held_out` is written only when annotators are held out.
TrainingRowsCounts write_training_rows(Store& store, const TrainingRowsRequest& request,
                                       const std::filesystem::path& path,
                                       const std::filesystem::path& held_out);

}  // namespace keel::feedback
