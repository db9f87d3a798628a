// What whoever leads a project watches: who judged how much and when, how long tasks take, on which of them
// annotators disagree.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "keel/feedback/store.h"

namespace keel::feedback {

struct HourCount {
  int64_t at = 0;  // seconds since 1970, of its beginning
  int64_t judgements = 0;
};

/// The hours up to the one of `now`, the oldest first; skips, flags and comments count, too.
std::vector<HourCount> judgements_by_hour(const std::vector<JudgedRow>& rows, int64_t now, int64_t hours);

struct AnnotatorWork {
  int64_t id = 0;
  Annotator annotator = {};
  int64_t judgements = 0, last_hour = 0, last_day = 0;
  int64_t skips = 0, flags = 0;
  int64_t last_at = 0;         // seconds since 1970
  double median_seconds = -1;  // of active time on an answer; -1: not known
};

/// Who judged most comes first.
std::vector<AnnotatorWork> work_of_annotators(const std::vector<JudgedRow>& rows, int64_t now);

/// Active time on answers of one kind: the median, and the times that a tenth stayed below, and above.
struct TimeSpent {
  std::string task = {};                 // "ranking of 4", "rating"
  int64_t answers = 0;                   // whose time is known
  double median = 0, low = 0, high = 0;  // seconds
};

/// By kind of task.
std::vector<TimeSpent> time_spent(const std::vector<JudgedRow>& rows);

/// How far two answers or more to one task differ.
struct Disagreement {
  int64_t task = 0;
  int64_t annotators = 0;
  /// 0 to 1, the mean over every two annotators: of rankings the share of pairs of completions on which they
  /// differ (a tie against an order: one half), of labels 1 where they differ, of ratings the mean distance
  /// over the task's scale.
  double share = 0;
};

/// The tasks on which annotators disagree, the most contested first; an annotator's last answer counts.
std::vector<Disagreement> disagreements(const std::vector<JudgedRow>& rows, size_t most);

}  // namespace keel::feedback
