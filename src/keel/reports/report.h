// The report of a whole run: one HTML file without outside resources and without scripts, readable in light
// and dark, on paper and on a phone. It is a pure function of ReportData, which the pipeline fills from run
// folders; every number shown is a number of ReportData, and report.json holds them all. The order is fixed:
// verdict, curves, reward against √KL, reward model, win rates, samples, what this run does not show, how it
// was made. A part that was not measured is named as missing; nothing is drawn for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "keel/base/json.h"
#include "keel/reports/verdict.h"
#include "keel/statistics/calibration.h"
#include "keel/statistics/intervals.h"
#include "keel/statistics/wins.h"

namespace keel {

/// One measure over PPO's steps. All lists have one length; values that are not finite leave a gap.
struct Curve {
  std::string name;       // one of kExpectedCurves, or any other
  std::string unit;       // "points", "nats", "tokens"
  std::string note = {};  // one sentence: what was measured, over how many
  std::vector<double> steps, values;
  std::vector<double> errors = {};             // standard errors of the values; empty: no band is drawn
  std::optional<double> start = std::nullopt;  // the value before the first step (SFT's), drawn as a level
};

/// What a report on PPO must show; those absent from ReportData::curves are said to be missing.
inline constexpr const char* kExpectedCurves[] = {"reward", "kl", "value_loss", "entropy", "response_length"};

/// A point of reward against √KL: a checkpoint or step of PPO, or best-of-n for one n.
struct FrontierPoint {
  std::string label;                            // "step 40", "n = 4"
  double kl = 0;                                // sequence KL to the reference, nats
  Estimate proxy;                               // the reward model's score
  std::optional<Estimate> gold = std::nullopt;  // the gold judge's score
};

/// How often an order was right: "reward model against held-out rankings", "annotators against the gold
/// judge".
struct Accuracy {
  std::string name;
  int64_t right = 0, pairs = 0;  // the interval is Wilson's
};

/// The same pairs in groups.
struct AccuracyTable {
  std::string name;  // "by difference of the rewards"
  std::vector<Accuracy> groups;
};

/// Does length explain the reward? On the pairs whose completions differ in length.
struct LengthBias {
  std::optional<double> correlation;  // of reward and tokens, within prompts
  Accuracy model, shorter, longer;    // the model, and two rules that look at nothing else
  Estimate gain;             // the model's accuracy less the better rule's, paired; units are prompts
  std::string warning = {};  // empty: it does not
};

/// The members of an ensemble.
struct EnsemblePart {
  std::vector<Accuracy> members;
  double disagreement = 0;  // mean over completions of the members' deviation
  Accuracy unanimous;       // pairs that all members order alike, and how many of those are right
};

struct RewardModelPart {
  std::vector<Accuracy> accuracies;
  std::optional<Calibration> calibration =
      std::nullopt;  // of folded held-out pairs (pair_prediction), bins over [0.5, 1]
  std::vector<AccuracyTable> tables = {};
  std::optional<LengthBias> length = std::nullopt;
  std::optional<EnsemblePart> ensemble = std::nullopt;
};

/// One model measured on the held-out prompts.
struct Arm {
  std::string name;  // "base", "SFT", "best-of-4", "PPO"
  Estimate gold;
  std::optional<Estimate> proxy = std::nullopt;
  std::optional<Estimate> length = std::nullopt;  // tokens of an answer
  int64_t finished = 0, answers = 0;              // answers that ended by themselves
  std::optional<double> distinct_2 = std::nullopt;
};

/// Two models on the same prompts by the gold judge.
struct Duel {
  std::string first, second;
  WinRate result;
};

struct Answer {
  std::string arm;
  std::string text;
  bool finished = true;
  double gold = 0;
  std::optional<double> proxy = std::nullopt;
};

struct SamplePrompt {
  int64_t index = 0;  // among the held-out prompts
  std::string prompt;
  std::vector<Answer> answers;  // before first
};

/// A stage of the run, as its manifest tells it.
struct StageRecord {
  std::string name;
  double seconds = 0;
  uint64_t seed = 0;
  Json options = Json::object();
  std::vector<std::pair<std::string, std::string>> hashes = {};  // what was read or made, and its SHA-256
};

struct ReportData {
  std::string title = "Keel run";
  std::string made_at = {};  // date and time, as the pipeline wants it read
  std::optional<Comparison> comparison = std::nullopt;
  std::vector<Arm> arms = {};
  std::vector<Duel> duels = {};
  std::vector<Curve> curves = {};
  std::vector<FrontierPoint> ppo_frontier = {}, best_of_n_frontier = {};
  std::optional<RewardModelPart> reward_model = std::nullopt;
  std::vector<SamplePrompt> samples = {};
  std::string sample_choice = {};        // "the first 6 of permutation seed 7, chosen before the run"
  std::string gold_judge = {};           // one sentence: what the gold judge is
  std::vector<std::string> limits = {};  // what this run does not show, beside what the report finds itself
  bool simulated_labels = true;          // rankings came from simulated annotators
  bool permuted_labels = false;          // a control: labels were shuffled on purpose
  int64_t seeds = 1;                     // how many seeds stand behind the verdict
  std::vector<StageRecord> stages = {};
  std::vector<std::pair<std::string, std::string>> facts =
      {};  // program version, libtorch, processor, threads
};

/// The whole HTML file. Errors: [report] lists of one curve differ in length.
std::string render_report(const ReportData& data);

/// The same numbers for machines, with the verdict; values that are not finite become null.
Json report_data_json(const ReportData& data);

/// The sentences under "what this run does not show": the given ones and those that follow from the data.
std::vector<std::string> limits_of(const ReportData& data);

}  // namespace keel
