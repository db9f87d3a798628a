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

// The row of an export; of an edit that is to be learned from as text, the text alone.
std::optional<Json> row_of(JudgedRow row, Wanted wanted) {
  if (wanted == Wanted::demonstrations) {
    row.judgement.type = JudgementType::demonstration;
    row.completions.clear();
  }
  return judgement_json(row);
}

}  // namespace

TrainingRowsCounts write_training_rows(Store& store, const TrainingRowsRequest& request,
                                       const std::filesystem::path& path,
                                       const std::filesystem::path& held_out) {
  TrainingRowsCounts counts;
  std::string kept, apart;
  for (const JudgedRow& row : store.judgements(request.kinds, request.last_event)) {
    if (!is_wanted(row.judgement.type, request.wanted)) continue;
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
