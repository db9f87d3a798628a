#include "keel/server/board.h"

#include "keel/base/error.h"
#include "keel/feedback/labels.h"
#include "keel/feedback/leaderboard.h"
#include "keel/feedback/oversight.h"
#include "keel/server/markdown.h"

namespace keel {
namespace {

using feedback::JudgedRow;

constexpr int64_t kHours = 48;
constexpr size_t kMostDisagreements = 20, kLongestOpening = 120;
constexpr Bootstrap kBootstrap = {.seed = 1, .resamples = 400};

// The beginning of a text, cut between two characters of UTF-8.
std::string opening_of(const std::string& text) {
  if (text.size() <= kLongestOpening) return text;
  size_t end = kLongestOpening;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

Json estimate_json(const std::optional<Estimate>& estimate) {
  if (!estimate) return nullptr;
  return {{"value", estimate->value},
          {"low", estimate->interval.low},
          {"high", estimate->interval.high},
          {"items", estimate->count}};
}

Json agreement(const std::vector<JudgedRow>& rows) {
  Json sets = Json::array();
  for (const feedback::LabelSet& set : feedback::label_sets(rows)) {
    Json object = {{"of", set.name}, {"labels", set.labels.size()}};
    object["percent"] = estimate_json(percent_agreement(set.labels, kBootstrap));
    object["alpha"] = estimate_json(krippendorff_alpha(set.labels, set.scale, kBootstrap));
    sets.push_back(object);
  }
  return sets;
}

Json leaderboard(const std::vector<JudgedRow>& rows, const std::vector<feedback::Model>& models) {
  try {
    return feedback::leaderboard_json(feedback::leaderboard(rows, models, {}, kBootstrap));
  } catch (const Error&) {  // no battle between two models yet
    return nullptr;
  }
}

Json annotators(const std::vector<JudgedRow>& rows, const std::map<int64_t, feedback::Task>& gold_tasks,
                int64_t now) {
  std::map<int64_t, feedback::GoldCount> gold = feedback::gold_counts(rows, gold_tasks);
  Json list = Json::array();
  for (const feedback::AnnotatorWork& work : feedback::work_of_annotators(rows, now))
    list.push_back({{"name", work.annotator.name},
                    {"kind", feedback::annotator_kind_name(work.annotator.kind)},
                    {"judgements", work.judgements},
                    {"last_hour", work.last_hour},
                    {"last_day", work.last_day},
                    {"skips", work.skips},
                    {"flags", work.flags},
                    {"last_at", work.last_at},
                    {"gold", {{"right", gold[work.id].right}, {"total", gold[work.id].total}}},
                    {"median_seconds", work.median_seconds < 0 ? Json() : Json(work.median_seconds)}});
  return list;
}

Json times(const std::vector<JudgedRow>& rows) {
  Json list = Json::array();
  for (const feedback::TimeSpent& spent : feedback::time_spent(rows))
    list.push_back({{"task", spent.task},
                    {"answers", spent.answers},
                    {"median", spent.median},
                    {"low", spent.low},
                    {"high", spent.high}});
  return list;
}

Json contested(feedback::Store& store, const std::vector<JudgedRow>& rows) {
  Json list = Json::array();
  for (const feedback::Disagreement& found : feedback::disagreements(rows, kMostDisagreements)) {
    const feedback::Task task = store.task(found.task);
    list.push_back({{"task", found.task},
                    {"kind", feedback::task_kind_name(task.kind)},
                    {"annotators", found.annotators},
                    {"share", found.share},
                    {"prompt", opening_of(store.prompt(task.prompt).text)}});
  }
  return list;
}

Json judgement_json(const JudgedRow& row) {
  const feedback::Judgement& judgement = row.judgement;
  Json object = {{"number", row.receipt.judgement},
                 {"annotator", row.annotator.name},
                 {"kind", feedback::annotator_kind_name(row.annotator.kind)},
                 {"type", feedback::judgement_type_name(judgement.type)},
                 {"completions", judgement.completions},
                 {"ranks", judgement.ranks},
                 {"ratings", judgement.ratings},
                 {"text", judgement.text},
                 {"at", row.at}};
  object["label"] = judgement.label ? Json(*judgement.label) : Json();
  object["strength"] = judgement.strength ? Json(*judgement.strength) : Json();
  object["none_acceptable"] = judgement.none_acceptable;
  object["adjudicates"] = judgement.adjudicates;
  object["seconds"] = judgement.seconds ? Json(*judgement.seconds) : Json();
  return object;
}

Json passage_json(const Passage& passage) {
  std::string text = passage.text;
  if (text.empty())
    for (const int64_t id : passage.ids) text += (text.empty() ? "" : " ") + std::to_string(id);
  return {{"text", text}, {"html", markdown_html(text)}};
}

}  // namespace

Json Board::measured(feedback::Kinds kinds, int64_t now) {
  const auto rows = store_.judgements(kinds, store_.last_event());
  Json object = {{"judgements", rows.size()}, {"hours", Json::array()}};
  for (const feedback::HourCount& hour : feedback::judgements_by_hour(rows, now, kHours))
    object["hours"].push_back({{"at", hour.at}, {"judgements", hour.judgements}});
  object["annotators"] = annotators(rows, gold_.all(), now);
  object["times"] = times(rows);
  object["agreement"] = agreement(rows);
  object["disagreements"] = contested(store_, rows);
  object["leaderboard"] = leaderboard(rows, store_.models());
  return object;
}

// The lock is held while the figures are worked out, so that two leads cost no more than one.
Json Board::overview(feedback::Kinds kinds, int64_t now) {
  const feedback::Size size = store_.size();
  Json object = {
      {"tasks", size.tasks},     {"open_tasks", size.open_tasks},   {"missing", store_.missing_answers()},
      {"prompts", size.prompts}, {"completions", size.completions}, {"now", now}};
  object["leases"] = leases(now);
  const std::lock_guard lock(mutex_);
  Kept& kept = kept_[kinds];
  const int64_t minute = now / 60;
  if (kept.event != size.last_event || kept.minute != minute)
    kept = {size.last_event, minute, measured(kinds, now)};
  object.update(kept.measured);
  return object;
}

Json Board::leases(int64_t now) {
  Json list = Json::array();
  for (const feedback::Lease& lease : store_.leases(now))
    list.push_back({{"task", lease.task},
                    {"annotator", store_.annotator(lease.annotator).name},
                    {"seconds_left", lease.expires - now}});
  return list;
}

Json Board::task(int64_t id) {
  const feedback::Task task = store_.task(id);
  Json object = {{"id", id},
                 {"kind", feedback::task_kind_name(task.kind)},
                 {"prompt", task.prompt},
                 {"copies", task.copies},
                 {"details", task.details}};
  object.update(passage_json(store_.prompt(task.prompt)));
  const int64_t guideline = store_.guidelines().first;
  object["guideline"] = guideline == 0 ? Json() : Json(guideline);
  for (const char* name : {"question", "dimensions", "scale", "strength"})
    if (task.details.contains(name)) object[name] = task.details.at(name);
  object["completions"] = Json::array();
  for (const int64_t completion : task.completions) {
    const feedback::Completion found = store_.completion(completion);
    Json shown = {{"id", completion}, {"model", found.model}};
    shown.update(passage_json(found.passage));
    object["completions"].push_back(shown);
  }
  object["judgements"] = Json::array();
  for (const JudgedRow& row : store_.judgements_of_task(id))
    object["judgements"].push_back(judgement_json(row));
  return object;
}

}  // namespace keel
