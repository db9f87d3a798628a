// Gold items: tasks whose answer is known, put among the others to see who reads; and the qualification
// round, gold items that come first. A task's details say so (task_rows.h); nobody who answers sees it.
//
// - "gold": [1, 3, 2] of a ranking: ranks beside its completions. Right: every strict pair in this order.
// - "gold": true of a label.
// - "gold": {"helpful": 4} of a rating. Right: each within 1, or within "tolerance" of the details.
// - "qualification": true beside a gold: asked first.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "keel/feedback/store.h"

namespace keel::feedback {

/// Errors: Refused for a gold that does not fit its task.
void check_gold(const Task& task);

/// Whether an answer is right; nothing for a task without gold. What is no answer (a skip) is not right; a
/// flag and a comment say nothing.
std::optional<bool> is_right(const Task& task, const Judgement& judgement);

struct GoldCount {
  int64_t right = 0, total = 0;
};

/// By annotator, of the judgements that speak of tasks in `gold`.
std::map<int64_t, GoldCount> gold_counts(const std::vector<JudgedRow>& rows,
                                         const std::map<int64_t, Task>& gold);

/// The tasks of a store that have a gold, found as they are added. Safe to use from several threads.
class GoldTasks {
 public:
  explicit GoldTasks(Store& store) : store_(store) {}
  std::map<int64_t, Task> all();

 private:
  Store& store_;
  std::mutex mutex_;
  int64_t seen_ = 0;  // the newest task that was looked at
  std::map<int64_t, Task> gold_;
};

bool is_qualification(const Task& task);

/// How far an annotator is in the qualification round; only first answers count, so that nobody tries again.
struct QualificationState {
  int64_t asked = 0, answered = 0, right = 0;
  bool complete() const { return answered == asked; }
  double share() const { return asked == 0 ? 1 : static_cast<double>(right) / static_cast<double>(asked); }
};
QualificationState qualification_of(Store& store, const std::map<int64_t, Task>& gold, int64_t annotator);

}  // namespace keel::feedback
