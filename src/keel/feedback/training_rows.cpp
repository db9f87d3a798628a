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
std::optional<Json> row_of(JudgedRow row, Wanted wanted) {
  if (row.judgement.type != JudgementType::edit || row.completions.empty()) return judgement_json(row);
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
  TrainingRowsCounts counts;
  std::string kept, apart;
  const std::vector<JudgedRow> rows = store.judgements(request.kinds, request.last_event);
  const std::set<int64_t> decided = adjudicated(rows);
  for (const JudgedRow& row : rows) {
    if (!is_wanted(row.judgement.type, request.wanted)) continue;
    if (!row.judgement.adjudicates && decided.contains(row.judgement.task.value_or(0))) {
      ++counts.overruled;
      continue;
    }
    std::optional<Json> object = row_of(row, request.wanted);
    if (!object) {
      ++counts.unreadable;
      continue;
    }
    const bool is_apart = request.held_out.contains(row.annotator.name);
    if (request.weight && !is_apart) (*object)["weight"] = request.weight(row);
    (is_apart ? apart : kept) += json_text(*object) + "\n";
    ++(is_apart ? counts.held_out : counts.written);
  }
  write_file_atomically(path, kept);
  if (!request.held_out.empty()) write_file_atomically(held_out, apart);
  return counts;
}

}  // namespace keel::feedback
