#include "keel/feedback/training_rows.h"

#include "keel/base/files.h"

namespace keel::feedback {
namespace {

bool is_wanted(JudgementType type, Wanted wanted) {
  switch (wanted) {
    case Wanted::comparisons:
      return type == JudgementType::ranking || type == JudgementType::edit;
    case Wanted::labels:
      return type == JudgementType::label;
    case Wanted::ratings:
      return type == JudgementType::rating;
    case Wanted::demonstrations:
      return type == JudgementType::demonstration || type == JudgementType::edit;
  }
  return false;
}

// The row of an export. An edit is learned from as text, or as better than what it was made from.
std::optional<Json> row_of(JudgedRow row, Wanted wanted, const JudgementWeight& weight) {
  if (row.judgement.type != JudgementType::edit || row.completions.empty())
    return weight ? judgement_json(row, weight(row)) : judgement_json(row);
  const std::string found = row.completions[0].passage.text;
  row.judgement.type = JudgementType::demonstration;
  row.completions.clear();
  std::optional<Json> object = judgement_json(row);
  if (!object || wanted == Wanted::demonstrations) return object;
  if (found.empty()) return std::nullopt;
  (*object)["chosen"] = object->at("completion");
  (*object)["rejected"] = found;
  object->erase("completion");
  return object;
}

TrainingRowsCounts write_targets(const std::vector<JudgedRow>& rows, const TrainingRowsRequest& request,
                                 const std::filesystem::path& path, const std::filesystem::path& held_out) {
  std::vector<JudgedRow> kept, apart;
  for (const JudgedRow& row : rows)
    (request.held_out.contains(row.annotator.name) ? apart : kept).push_back(row);
  TrainingRowsCounts counts{.written = write_target_rows(kept, request.targets, path)};
  if (!request.held_out.empty()) counts.held_out = write_target_rows(apart, request.targets, held_out);
  return counts;
}

// Tasks on which a lead has said the last word.
std::set<int64_t> adjudicated(const std::vector<JudgedRow>& rows) {
  std::set<int64_t> tasks;
  for (const JudgedRow& row : rows)
    if (row.judgement.adjudicates) tasks.insert(row.judgement.task.value_or(0));
  return tasks;
}

}  // namespace

TrainingRowsCounts write_training_rows(Store& store, const TrainingRowsRequest& request,
                                       const std::filesystem::path& path,
                                       const std::filesystem::path& held_out) {
  const std::vector<JudgedRow> rows = store.judgements(request.kinds, request.last_event);
  if (request.targets != Targets::none) return write_targets(rows, request, path, held_out);
  TrainingRowsCounts counts;
  std::string kept, apart;
  const std::set<int64_t> decided = adjudicated(rows);
  for (const JudgedRow& row : rows) {
    if (!is_wanted(row.judgement.type, request.wanted)) continue;
    if (!row.judgement.adjudicates && decided.contains(row.judgement.task.value_or(0))) {
      ++counts.overruled;
      continue;
    }
    const bool is_apart = request.held_out.contains(row.annotator.name);
    std::optional<Json> object = row_of(row, request.wanted, is_apart ? JudgementWeight() : request.weight);
    if (!object) {
      ++counts.unreadable;
      continue;
    }
    (is_apart ? apart : kept) += json_text(*object) + "\n";
    ++(is_apart ? counts.held_out : counts.written);
    counts.turned += object->contains("turned");
  }
  write_file_atomically(path, kept);
  if (!request.held_out.empty()) write_file_atomically(held_out, apart);
  return counts;
}

}  // namespace keel::feedback
