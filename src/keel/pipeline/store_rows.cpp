#include "keel/pipeline/store_rows.h"

#include <filesystem>

#include "keel/base/error.h"
#include "keel/base/log.h"
#include "keel/feedback/reliability_weights.h"
#include "keel/feedback/store.h"

namespace keel {
namespace {

namespace fs = std::filesystem;

// Beside the run, not in it: a run's folder is made from what it reads.
fs::path frozen_path(const std::string& output, const char* name) {
  return fs::path(output).lexically_normal().string() + name;
}

// What held-out annotators said is not learned from: not by the weights either.
std::vector<feedback::JudgedRow> learned_from(feedback::Store& store,
                                              const feedback::TrainingRowsRequest& request) {
  std::vector<feedback::JudgedRow> rows = store.judgements(request.kinds, request.last_event);
  std::erase_if(
      rows, [&](const feedback::JudgedRow& row) { return request.held_out.contains(row.annotator.name); });
  return rows;
}

}  // namespace

void StoreRows::visit(OptionVisitor& v) {
  v(&judges, "judges", "With a store as --data: whose judgements; they are never mixed in silence.",
    one_of({"human", "simulated", "ai", "all"}));
  v(&held_out_annotators, "held_out_annotators",
    "With a store as --data: names of annotators whose judgements become the validation rows.");
  v(&weigh, "weigh",
    "With a store as --data: what a comparison or a label counts: the same (none), or by how far its "
    "annotators can be relied on (reliability), which turns around what hostile ones said.",
    one_of({"none", "reliability"}));
  v(&most_hostile, "most_hostile",
    "With --weigh reliability: the largest share of annotators that may be hostile; a larger camp is "
    "believed without gold items.",
    within(0.5, 1));
  v(&margins, "margins",
    "With a store as --data: rankings get the scores that --margin-scale asks for, from ratings of the same "
    "completions, or from how much better the best was said to be.");
  v(&targets, "targets",
    "With a store as --data, numbers to learn instead of comparisons: what each completion's rankings amount "
    "to (elo, bradley_terry), or ratings by each annotator's own scale (standardised_ratings).",
    one_of({"none", "elo", "bradley_terry", "standardised_ratings"}));
}

void StoreRows::freeze(SupervisedOptions& options, feedback::Wanted wanted) const {
  if (!feedback::is_store(options.data)) {
    if (!held_out_annotators.empty())
      throw UsageError("--held-out-annotators", "expected a store as --data, got " + options.data);
    if (weigh != "none") throw UsageError("--weigh", "expected a store as --data, got " + options.data);
    if (targets != "none") throw UsageError("--targets", "expected a store as --data, got " + options.data);
    if (margins) throw UsageError("--margins", "expected a store as --data, got " + options.data);
    return;
  }
  if (weigh != "none" && targets != "none")
    throw UsageError("--weigh", "expected comparisons to weigh, got --targets " + targets);
  if (!held_out_annotators.empty() && !options.validation.empty())
    throw UsageError("--held-out-annotators", "expected no --validation rows beside it");
  const fs::path rows = frozen_path(options.output, ".rows.jsonl"),
                 held_out = frozen_path(options.output, ".held-out.jsonl");
  const bool goes_on = fs::exists(fs::path(options.output) / "manifest.json") && fs::exists(rows);
  if (!goes_on) {
    const auto store = feedback::open_store(options.data, feedback::Access::read);
    feedback::TrainingRowsRequest request{
        .wanted = wanted,
        .kinds = feedback::kinds_named(judges),
        .last_event = store->last_event(),
        .held_out = {held_out_annotators.begin(), held_out_annotators.end()},
        .margins = margins,
        .targets = feedback::targets_named(targets)};
    if (weigh == "reliability")
      request.weight = feedback::weight_by_reliability(*store, learned_from(*store, request), most_hostile);
    const auto counts = feedback::write_training_rows(*store, request, rows, held_out);
    if (counts.written == 0)
      throw Error(options.data, "expected judgements to train on, got none by " + judges +
                                    " annotators: --judges says whose");
    log_info(std::to_string(counts.written) + " rows up to event " + std::to_string(request.last_event) +
             " of the store frozen in " + rows.string() +
             (counts.turned > 0 ? ", " + std::to_string(counts.turned) + " turned around" : "") +
             (counts.held_out > 0 ? ", " + std::to_string(counts.held_out) + " held out" : ""));
  }
  options.data = rows.string();
  if (!held_out_annotators.empty()) options.validation = held_out.string();
}

}  // namespace keel
