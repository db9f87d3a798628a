// Measures of policies by their samples on the same prompts: what `keel eval policies` writes and the report
// shows.
#pragma once

#include "keel/reports/report.h"
#include "keel/rows/samples.h"
#include "keel/trainers/scorer_options.h"

namespace keel {

/// A sampled answer and what the judges say of it.
struct JudgedAnswer : SampledAnswer {
  double gold = 0, proxy = 0;
};

/// All answers of one model: by prompt, then by sample.
struct PolicySamples {
  std::string name;
  std::vector<std::string> prompts;
  std::vector<std::vector<JudgedAnswer>> answers;
};

struct PolicyEvaluationOptions {
  std::vector<std::string> arms;  // "name=samples.jsonl"
  std::string before, after;      // arms of the verdict
  std::string best_of_arm;        // whose samples best-of-n picks from
  int64_t best_of = 4;
  ScorerOptions scorer;  // the proxy
  int64_t seed = 1, shown_prompts = 6;
};

/// Reads the arms, has every answer judged by the gold rule and by the reward model, and fills the arms,
/// duels, comparison, best-of-n frontier and sample parts of a report. Errors: [file] arms whose prompts
/// differ, or an arm that is not there.
void evaluate_policies(const PolicyEvaluationOptions& options, ReportData& data);

/// How often each simulated annotator's strict orders in the rankings agree with the gold judge's, by name.
/// Every completion is taken as ended by itself: rankings do not keep that. Judgements of people are passed
/// over.
std::vector<Accuracy> annotator_accuracies(const std::string& rankings);

}  // namespace keel
