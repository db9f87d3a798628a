#include "keel/feedback/training_rows.h"

#include <algorithm>
#include <map>

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

// By completion: the mean over its ratings by annotators who are not held out, each the mean of its
// dimensions.
std::map<int64_t, double> mean_ratings(const std::vector<JudgedRow>& rows,
                                       const std::set<std::string>& held_out) {
  std::map<int64_t, std::pair<double, int64_t>> sums;
  for (const JudgedRow& row : rows) {
    const auto& ratings = row.judgement.ratings;
    if (row.judgement.type != JudgementType::rating || ratings.empty() ||
        held_out.contains(row.annotator.name))
      continue;
    double sum = 0;
    for (const auto& [dimension, value] : ratings) sum += value;
    auto& [total, count] = sums[row.judgement.completions.at(0)];
    total += sum / static_cast<double>(ratings.size());
    ++count;
  }
  std::map<int64_t, double> means;
  for (const auto& [completion, sum] : sums) means[completion] = sum.first / static_cast<double>(sum.second);
  return means;
}

std::vector<double> scores_of(const Judgement& ranking, const std::map<int64_t, double>& ratings) {
  const auto rated = [&](int64_t completion) { return ratings.contains(completion); };
  std::vector<double> scores;
  if (std::ranges::all_of(ranking.completions, rated)) {
    for (const int64_t completion : ranking.completions) scores.push_back(ratings.at(completion));
    return scores;
  }
  const int64_t best = std::ranges::min(ranking.ranks);
  for (const int64_t rank : ranking.ranks)
    scores.push_back(rank == best ? static_cast<double>(ranking.strength.value_or(0)) : 0.0);
  return scores;
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
  const auto ratings = request.margins ? mean_ratings(rows, request.held_out) : std::map<int64_t, double>();
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
    if (request.margins && row.judgement.type == JudgementType::ranking && !object->contains("turned"))
      (*object)["scores"] = scores_of(row.judgement, ratings);
    (is_apart ? apart : kept) += json_text(*object) + "\n";
    ++(is_apart ? counts.held_out : counts.written);
    counts.turned += object->contains("turned");
  }
  write_file_atomically(path, kept);
  if (!request.held_out.empty()) write_file_atomically(held_out, apart);
  return counts;
}

}  // namespace keel::feedback
