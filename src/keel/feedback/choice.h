// Sets which of a store's tasks are handed out first (statistics/next_task.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "keel/feedback/store.h"

namespace keel::feedback {

enum class ChooseBy { random, uncertain, diverse };
/// Errors: UsageError for any other name.
ChooseBy choose_by(const std::string& name);

/// The scores of a task's completions by each of several reward models.
using MemberScores =
    std::function<std::vector<std::vector<double>>(const Passage& prompt, const std::vector<Completion>&)>;

struct ChooseRequest {
  ChooseBy by = ChooseBy::random;
  Kinds kinds = Kinds::human;  // whose judgements say what is known already
  uint64_t seed = 1;
  MemberScores members = {};  // of uncertain: their disagreement; without them, Bradley-Terry over models
};

/// Gives every task that wants rankings a priority, and returns their number. Tasks of other kinds keep
/// theirs. Errors: [choose] uncertain, without members, and of a store whose completions have no models.
int64_t choose_tasks(Store& store, const ChooseRequest& request);

}  // namespace keel::feedback
