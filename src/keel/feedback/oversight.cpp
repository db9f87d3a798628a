#include "keel/feedback/oversight.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "keel/feedback/judgement_rules.h"
#include "keel/statistics/resampling.h"

namespace keel::feedback {
namespace {

constexpr int64_t kHour = 3600, kDay = 24 * kHour;

std::string task_name(const Judgement& judgement) {
  std::string name = judgement_type_name(judgement.type);
  if (judgement.type == JudgementType::ranking) name += " of " + std::to_string(judgement.completions.size());
  return name;
}

int sign_of(int64_t difference) {
  return (difference > 0) - (difference < 0);
}

// Ranks beside the completions in the order of their numbers, which two annotators' answers share.
std::vector<int64_t> ranks_by_completion(const Judgement& judgement) {
  std::map<int64_t, int64_t> ranks;
  for (size_t i = 0; i < judgement.ranks.size(); ++i) ranks[judgement.completions[i]] = judgement.ranks[i];
  std::vector<int64_t> result;
  for (const auto& [completion, rank] : ranks) result.push_back(rank);
  return result;
}

double ranking_distance(const Judgement& a, const Judgement& b) {
  const std::vector<int64_t> first = ranks_by_completion(a), second = ranks_by_completion(b);
  double differing = 0, pairs = 0;
  for (size_t i = 0; i < first.size() && i < second.size(); ++i)
    for (size_t j = i + 1; j < first.size() && j < second.size(); ++j, ++pairs)
      differing += std::abs(sign_of(first[i] - first[j]) - sign_of(second[i] - second[j])) / 2.0;
  return pairs == 0 ? 0 : differing / pairs;
}

double rating_distance(const Judgement& a, const Judgement& b, double scale) {
  double distance = 0, dimensions = 0;
  for (const auto& [dimension, value] : a.ratings) {
    const auto other = b.ratings.find(dimension);
    if (other == b.ratings.end()) continue;
    distance += std::abs(value - other->second);
    ++dimensions;
  }
  return dimensions == 0 || scale == 0 ? 0 : distance / dimensions / scale;
}

// The span of all ratings of one task: what its scale is known to hold.
double scale_of(const std::vector<const Judgement*>& answers) {
  double low = 1, high = 5;
  for (const Judgement* answer : answers)
    for (const auto& [dimension, value] : answer->ratings)
      low = std::min(low, value), high = std::max(high, value);
  return high - low;
}

std::optional<double> distance(const Judgement& a, const Judgement& b, double scale) {
  if (a.type != b.type) return std::nullopt;
  if (a.type == JudgementType::ranking) return ranking_distance(a, b);
  if (a.type == JudgementType::label) return a.label == b.label ? 0.0 : 1.0;
  if (a.type == JudgementType::rating) return rating_distance(a, b, scale);
  return std::nullopt;
}

Disagreement disagreement_of(int64_t task, const std::vector<const Judgement*>& answers) {
  const double scale = scale_of(answers);
  double sum = 0, pairs = 0;
  for (size_t i = 0; i < answers.size(); ++i)
    for (size_t j = i + 1; j < answers.size(); ++j)
      if (const auto found = distance(*answers[i], *answers[j], scale)) sum += *found, ++pairs;
  return {task, std::ssize(answers), pairs == 0 ? 0 : sum / pairs};
}

}  // namespace

std::vector<HourCount> judgements_by_hour(const std::vector<JudgedRow>& rows, int64_t now, int64_t hours) {
  std::vector<HourCount> counts;
  const int64_t first = now / kHour - hours + 1;
  for (int64_t i = 0; i < hours; ++i) counts.push_back({(first + i) * kHour, 0});
  for (const JudgedRow& row : rows) {
    const int64_t place = row.at / kHour - first;
    if (place >= 0 && place < hours) ++counts[static_cast<size_t>(place)].judgements;
  }
  return counts;
}

std::vector<AnnotatorWork> work_of_annotators(const std::vector<JudgedRow>& rows, int64_t now) {
  std::map<int64_t, AnnotatorWork> works;
  std::map<int64_t, std::vector<double>> seconds;
  for (const JudgedRow& row : rows) {
    AnnotatorWork& work = works[row.judgement.annotator];
    work.id = row.judgement.annotator;
    work.annotator = row.annotator;
    ++work.judgements;
    work.last_hour += row.at > now - kHour;
    work.last_day += row.at > now - kDay;
    work.skips += row.judgement.type == JudgementType::skip;
    work.flags += row.judgement.type == JudgementType::flag;
    work.last_at = std::max(work.last_at, row.at);
    if (row.judgement.seconds && is_answer(row.judgement.type))
      seconds[work.id].push_back(*row.judgement.seconds);
  }
  std::vector<AnnotatorWork> result;
  for (auto& [id, work] : works) {
    std::vector<double>& times = seconds[id];
    std::sort(times.begin(), times.end());
    if (!times.empty()) work.median_seconds = quantile(times, 0.5);
    result.push_back(std::move(work));
  }
  std::stable_sort(result.begin(), result.end(), [](const AnnotatorWork& a, const AnnotatorWork& b) {
    return a.judgements > b.judgements;
  });
  return result;
}

std::vector<TimeSpent> time_spent(const std::vector<JudgedRow>& rows) {
  std::map<std::string, std::vector<double>> seconds;
  for (const JudgedRow& row : rows)
    if (row.judgement.seconds && is_answer(row.judgement.type))
      seconds[task_name(row.judgement)].push_back(*row.judgement.seconds);
  std::vector<TimeSpent> result;
  for (auto& [task, times] : seconds) {
    std::sort(times.begin(), times.end());
    result.push_back(
        {task, std::ssize(times), quantile(times, 0.5), quantile(times, 0.1), quantile(times, 0.9)});
  }
  return result;
}

std::vector<Disagreement> disagreements(const std::vector<JudgedRow>& rows, size_t most) {
  std::map<int64_t, std::map<int64_t, const Judgement*>> answers;  // task → annotator → the last answer
  for (const JudgedRow& row : rows)
    if (row.judgement.task && is_answer(row.judgement.type))
      answers[*row.judgement.task][row.judgement.annotator] = &row.judgement;
  std::vector<Disagreement> result;
  for (const auto& [task, by_annotator] : answers) {
    std::vector<const Judgement*> given;
    for (const auto& [annotator, judgement] : by_annotator) given.push_back(judgement);
    const Disagreement found = disagreement_of(task, given);
    if (found.share > 0) result.push_back(found);
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const Disagreement& a, const Disagreement& b) { return a.share > b.share; });
  if (result.size() > most) result.resize(most);
  return result;
}

}  // namespace keel::feedback
