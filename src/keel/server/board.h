// What the lead's board asks for, as JSON: how the work goes, and one task with all that was said of it.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "keel/base/json.h"
#include "keel/feedback/gold.h"
#include "keel/feedback/store.h"

namespace keel {

/// Safe to use from several threads.
class Board {
 public:
  explicit Board(feedback::Store& store) : store_(store), gold_(store) {}

  /// {kinds, size, missing, hours: [{at, judgements}], annotators, times, agreement, disagreements,
  ///  leaderboard: null | leaderboard_json, leases}. What takes long is worked out once for each state of the
  /// store.
  Json overview(feedback::Kinds kinds, int64_t now);

  /// {id, kind, prompt, copies, details, text, html, completions: [{id, model, text, html}],
  ///  judgements: [{number, annotator, kind, type, ranks by completion, label, ratings, text, seconds, at}]}.
  /// Errors: feedback::Refused for an unknown number.
  Json task(int64_t id);

 private:
  struct Kept {
    int64_t event = -1, minute = -1;  // counts of the last hour age without a new judgement
    Json measured = {};
  };
  Json measured(feedback::Kinds kinds, int64_t now);
  Json leases(int64_t now);

  feedback::Store& store_;
  feedback::GoldTasks gold_;
  std::mutex mutex_;
  std::map<feedback::Kinds, Kept> kept_;
};

}  // namespace keel
