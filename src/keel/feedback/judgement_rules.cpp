#include "keel/feedback/judgement_rules.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace keel::feedback {
namespace {

constexpr size_t kLongestKey = 200, kLongestText = 1 << 18, kMostDimensions = 32;
constexpr int64_t kMostRanked = 9;
constexpr double kLongestWork = 86'400;  // seconds

void refuse_unless(bool good, const char* what, const std::string& message) {
  if (!good) throw Refused(what, message);
}

bool has_distinct(const std::vector<int64_t>& ids) {
  return std::set<int64_t>(ids.begin(), ids.end()).size() == ids.size();
}

// The number of completions that a judgement of a type speaks of.
struct Span {
  size_t least, most;
};
Span completions_of(JudgementType type) {
  switch (type) {
    case JudgementType::ranking:
      return {2, SIZE_MAX};
    case JudgementType::rating:
    case JudgementType::label:
    case JudgementType::edit:
      return {1, 1};
    case JudgementType::demonstration:
      return {0, 0};
    case JudgementType::flag:
      return {0, 1};
    case JudgementType::comment:
    case JudgementType::skip:
      return {0, SIZE_MAX};
  }
  throw std::logic_error("a type of judgement without a rule");
}

void check_ranks(const Judgement& j) {
  const bool ranking = j.type == JudgementType::ranking;
  refuse_unless(j.ranks.size() == (ranking ? j.completions.size() : 0), "judgement",
                "expected a rank for each completion of a ranking, got another number of ranks");
  refuse_unless(std::all_of(j.ranks.begin(), j.ranks.end(), [](int64_t rank) { return rank >= 1; }),
                "judgement", "expected ranks of at least 1, got a smaller one");
  refuse_unless(ranking || (!j.strength && !j.none_acceptable), "judgement",
                "expected a strength of preference in a ranking and nowhere else");
  refuse_unless(!j.strength || (*j.strength >= 1 && *j.strength <= 3), "judgement",
                "expected a strength of 1, 2 or 3, got another number");
}

void check_ratings(const Judgement& j) {
  refuse_unless(j.ratings.empty() == (j.type != JudgementType::rating), "judgement",
                "expected ratings in a rating and nowhere else");
  refuse_unless(j.ratings.size() <= kMostDimensions, "judgement", "expected at most 32 dimensions, got more");
  for (const auto& [dimension, value] : j.ratings)
    refuse_unless(!dimension.empty() && dimension.size() <= kLongestKey && std::isfinite(value), "judgement",
                  "expected finite ratings under names of 1 to 200 bytes");
}

void check_text(const Judgement& j) {
  const bool wants_text = j.type == JudgementType::demonstration || j.type == JudgementType::edit ||
                          j.type == JudgementType::flag || j.type == JudgementType::comment;
  refuse_unless(!wants_text || !j.text.empty(), "judgement", "expected a text, got none");
  refuse_unless(wants_text || j.type == JudgementType::skip || j.text.empty(), "judgement",
                "expected no text in a ranking, a rating or a label");
  refuse_unless(j.text.size() <= kLongestText, "judgement",
                "expected at most 262144 bytes of text, got more");
}

}  // namespace

void check_shape(const Judgement& j, const std::string& key) {
  refuse_unless(!key.empty() && key.size() <= kLongestKey, "judgement",
                "expected a key of 1 to 200 bytes, got another length");
  const Span wanted = completions_of(j.type);
  refuse_unless(j.completions.size() >= wanted.least && j.completions.size() <= wanted.most, "judgement",
                std::string("expected another number of completions in a ") + judgement_type_name(j.type) +
                    ", got " + std::to_string(j.completions.size()));
  refuse_unless(has_distinct(j.completions), "judgement", "expected each completion once, got one twice");
  refuse_unless(j.label.has_value() == (j.type == JudgementType::label), "judgement",
                "expected a label in a label judgement and nowhere else");
  refuse_unless(!j.adjudicates || (j.task && is_answer(j.type)), "judgement",
                "expected an answer to a task as the last word on it, got another judgement");
  refuse_unless(!j.seconds || (*j.seconds >= 0 && *j.seconds <= kLongestWork), "judgement",
                "expected 0 to 86400 seconds of work");
  check_ranks(j);
  check_ratings(j);
  check_text(j);
}

void check_shape(const Task& task) {
  const auto count = std::ssize(task.completions);
  const bool good = task.kind == TaskKind::ranking         ? count >= 2 && count <= kMostRanked
                    : task.kind == TaskKind::demonstration ? count == 0
                                                           : count == 1;
  refuse_unless(good, "task",
                std::string("expected another number of completions in a ") + task_kind_name(task.kind) +
                    " task, got " + std::to_string(count));
  refuse_unless(has_distinct(task.completions), "task", "expected each completion once, got one twice");
  refuse_unless(task.copies >= 0, "task", "expected 0 copies or more, got fewer");
  refuse_unless(task.details.is_object(), "task", "expected an object as details, got another value");
}

bool is_answer(JudgementType type) {
  return type != JudgementType::skip && type != JudgementType::flag && type != JudgementType::comment;
}

Json answer_json(const Judgement& j) {
  Json answer = Json::object();
  if (!j.ratings.empty()) answer["ratings"] = j.ratings;
  if (!j.text.empty()) answer["text"] = j.text;
  if (j.strength) answer["strength"] = *j.strength;
  if (j.none_acceptable) answer["none_acceptable"] = true;
  if (j.adjudicates) answer["adjudicates"] = true;
  if (j.seconds) answer["seconds"] = *j.seconds;
  return answer;
}

void read_answer(Judgement& j, const Json& answer) {
  j.ratings = json_get<std::map<std::string, double>>(answer, "ratings", {}, "store");
  j.text = json_get<std::string>(answer, "text", "", "store");
  if (answer.contains("strength")) j.strength = json_get<int64_t>(answer, "strength", 0, "store");
  j.none_acceptable = json_get<bool>(answer, "none_acceptable", false, "store");
  j.adjudicates = json_get<bool>(answer, "adjudicates", false, "store");
  if (answer.contains("seconds")) j.seconds = json_get<double>(answer, "seconds", 0, "store");
}

}  // namespace keel::feedback
