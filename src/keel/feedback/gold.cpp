#include "keel/feedback/gold.h"

#include <algorithm>
#include <cmath>

#include "keel/feedback/judgement_rules.h"

namespace keel::feedback {
namespace {

constexpr double kTolerance = 1;

const Json* gold_of(const Task& task) {
  const auto found = task.details.find("gold");
  return found == task.details.end() || found->is_null() ? nullptr : &*found;
}

void refuse(const std::string& expected) {
  throw Refused("task", "expected as gold " + expected + ", got another value");
}

bool is_ranks(const Json& gold, size_t count) {
  return gold.is_array() && gold.size() == count &&
         std::all_of(gold.begin(), gold.end(),
                     [](const Json& rank) { return rank.is_number_integer() && rank >= 1 && rank <= 1000; });
}

bool is_ratings(const Json& gold) {
  return gold.is_object() && !gold.empty() &&
         std::all_of(gold.begin(), gold.end(), [](const Json& value) { return value.is_number(); });
}

bool orders_alike(const Task& task, const Json& gold, const Judgement& judgement) {
  std::map<int64_t, int64_t> wanted;
  for (size_t i = 0; i < task.completions.size(); ++i) wanted[task.completions[i]] = gold[i].get<int64_t>();
  const auto& given = judgement.completions;
  if (judgement.ranks.size() != given.size()) return false;
  for (size_t i = 0; i < given.size(); ++i)
    for (size_t j = 0; j < given.size(); ++j)
      if (wanted.at(given[i]) < wanted.at(given[j]) && judgement.ranks[i] >= judgement.ranks[j]) return false;
  return true;
}

bool rates_alike(const Task& task, const Json& gold, const Judgement& judgement) {
  const double tolerance = json_get<double>(task.details, "tolerance", kTolerance, "task");
  return std::all_of(gold.items().begin(), gold.items().end(), [&](const auto& item) {
    const auto given = judgement.ratings.find(item.key());
    return given != judgement.ratings.end() &&
           std::abs(given->second - item.value().template get<double>()) <= tolerance;
  });
}

}  // namespace

void check_gold(const Task& task) {
  const Json* gold = gold_of(task);
  const bool first = is_qualification(task);
  if (gold == nullptr) {
    if (first) throw Refused("task", "expected a gold beside a qualification, got none");
    return;
  }
  if (task.kind == TaskKind::ranking) {
    if (!is_ranks(*gold, task.completions.size())) refuse("a rank of 1 or more for each completion");
  } else if (task.kind == TaskKind::label) {
    if (!gold->is_boolean()) refuse("true or false");
  } else if (task.kind == TaskKind::rating) {
    if (!is_ratings(*gold)) refuse("a number for dimensions");
    json_get<double>(task.details, "tolerance", kTolerance, "task");
  } else {
    throw Refused("task", "expected no gold for a text that is written, got one");
  }
}

std::optional<bool> is_right(const Task& task, const Judgement& judgement) {
  const Json* gold = gold_of(task);
  if (gold == nullptr || judgement.type == JudgementType::flag || judgement.type == JudgementType::comment)
    return std::nullopt;
  if (std::string(judgement_type_name(judgement.type)) != task_kind_name(task.kind)) return false;
  if (task.kind == TaskKind::label) return judgement.label == gold->get<bool>();
  return task.kind == TaskKind::ranking ? orders_alike(task, *gold, judgement)
                                        : rates_alike(task, *gold, judgement);
}

std::map<int64_t, GoldCount> gold_counts(const std::vector<JudgedRow>& rows,
                                         const std::map<int64_t, Task>& gold) {
  std::map<int64_t, GoldCount> counts;
  for (const JudgedRow& row : rows) {
    const auto task = gold.find(row.judgement.task.value_or(0));
    if (task == gold.end()) continue;
    const std::optional<bool> right = is_right(task->second, row.judgement);
    if (!right) continue;
    GoldCount& count = counts[row.judgement.annotator];
    ++count.total;
    count.right += *right;
  }
  return counts;
}

std::map<int64_t, Task> GoldTasks::all() {
  const std::lock_guard lock(mutex_);
  for (const int64_t id : store_.tasks_behind(seen_)) {
    const Task task = store_.task(id);
    try {
      check_gold(task);
      if (gold_of(task) != nullptr) gold_[id] = task;
    } catch (const Error&) {  // another program's: no gold of ours
    }
    seen_ = id;
  }
  return gold_;
}

bool is_qualification(const Task& task) {
  return json_get<bool>(task.details, "qualification", false, "task");
}

QualificationState qualification_of(Store& store, const std::map<int64_t, Task>& gold, int64_t annotator) {
  QualificationState state;
  for (const auto& [id, task] : gold) {
    if (!is_qualification(task)) continue;
    ++state.asked;
    const auto first = store.first_answer(id, annotator);
    if (!first) continue;
    ++state.answered;
    state.right += is_right(task, *first).value_or(false);
  }
  return state;
}

}  // namespace keel::feedback
