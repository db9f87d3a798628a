// The commands that measure: eval perplexity, eval reward, eval policies, report.
#include <cmath>
#include <iostream>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/pipeline/policy_evaluation.h"
#include "keel/pipeline/reward_evaluation.h"
#include "keel/pipeline/stages.h"
#include "keel/trainers/inputs.h"
#include "keel/trainers/training_run.h"

namespace keel {
namespace {

void write_json(const std::string& output, const Json& json) {
  const std::string text = json_text(json, 2) + "\n";
  if (output.empty())
    std::cout << text;
  else
    write_file_atomically(output, text);
}

struct PerplexityOptions : Options {
  std::string model, data, output;
  Compute compute;
  int64_t batch_size = 64, max_length = 0;

  void visit(OptionVisitor& v) override {
    v(&model, "model", "A language model's folder.", required_input());
    v(&data, "data", "Texts or demonstrations.", required_input());
    v(&batch_size, "batch_size", "Rows computed at once.", at_least(1));
    v(&max_length, "max_length", "Longest row in tokens; 0: the context.", at_least(0));
    compute.visit(v);
    v(&output, "output", "A JSON file; default: standard output.", {.writes = true});
  }
  void check() const override { compute.check(); }
};

// Token mean over all rows, with the standard error over rows.
void run_perplexity(PerplexityOptions& o) {
  const Model model = open_language_model(o.model, o.compute);
  const auto tokenizer = load_tokenizer(o.model);
  const ExampleSet set = open_examples(o.data, model, tokenizer ? &*tokenizer : nullptr, o.max_length,
                                       TooLong::truncate, {RowKind::text, RowKind::completion});
  std::vector<double> row_means;
  double sum = 0;
  int64_t tokens = 0;
  for_each_logps(model, set, o.batch_size, 1.0, [&](const Tensor& scored, const Tensor& logps) {
    const double row = -logps.sum().item().toDouble();
    row_means.push_back(row / static_cast<double>(scored.numel()));
    sum += row;
    tokens += scored.numel();
  });
  const double loss = sum / static_cast<double>(tokens);
  const Estimate rows = mean_estimate(row_means);
  write_json(o.output, {{"loss", loss},
                        {"perplexity", std::exp(loss)},
                        {"tokens", tokens},
                        {"rows", std::ssize(set.examples)},
                        {"row_mean_loss", rows.value},
                        {"row_mean_loss_standard_error", rows.standard_error}});
}

struct RewardAccuracyOptions : Options {
  RewardEvaluationOptions evaluation;
  std::string output;

  void visit(OptionVisitor& v) override {
    evaluation.scorer.visit(v, "model", "The folder of the reward model, or of each member of an ensemble.");
    v(&evaluation.data, "data", "Held-out rankings or preferences.", required_input());
    v(&evaluation.group_by, "group_by", "A field of the rows whose groups get an accuracy each.");
    v(&evaluation.pairs, "pairs",
      "A file that gets a line for each pair: its row's line, the rewards, the difference in tokens.",
      {.writes = true});
    v(&evaluation.seed, "seed", "Of the bootstrap.", at_least(0));
    evaluation.compute.visit(v);
    v(&output, "output", "A JSON file; default: standard output.", {.writes = true});
  }
  void check() const override { evaluation.compute.check(); }
};

void run_reward_accuracy(RewardAccuracyOptions& o) {
  ReportData data;
  data.reward_model = evaluate_reward_model(o.evaluation);
  write_json(o.output, report_data_json(data)["reward_model"]);
}

struct PolicyOptions : Options {
  PolicyEvaluationOptions evaluation;
  std::string output;

  void visit(OptionVisitor& v) override {
    v(&evaluation.arms, "arms", "Models to compare, each as name=samples.jsonl on the same prompts.",
      required_input());
    v(&evaluation.before, "before", "The arm that the verdict starts from.", required());
    v(&evaluation.after, "after", "The arm that the verdict is about.", required());
    v(&evaluation.best_of_arm, "best_of_arm", "The arm whose samples best-of-n picks from; empty: none.");
    v(&evaluation.best_of, "best_of", "The n of the best-of-n arm.", at_least(2));
    evaluation.scorer.visit(
        v, "reward_model", "The proxy: the reward model that was optimised, or each member of its ensemble.");
    v(&evaluation.shown_prompts, "shown_prompts", "Prompts whose samples are shown, chosen by seed.",
      at_least(0));
    v(&evaluation.seed, "seed", "Of the bootstraps and of the choice of shown prompts.", at_least(0));
    v(&output, "output", "Where the result goes.", required_output());
  }
};

void run_policies(PolicyOptions& o) {
  ReportData data;
  evaluate_policies(o.evaluation, data);
  write_json(o.output, report_data_json(data));
}

struct ReportOptions : PolicyOptions {
  std::string title = "Keel run", ppo, rankings, stages;
  bool permuted_labels = false;

  void visit(OptionVisitor& v) override {
    PolicyOptions::visit(v);
    v(&title, "title", "The page's title.");
    v(&ppo, "ppo", "The PPO run whose curves are shown.", required_input());
    v(&rankings, "rankings", "Held-out rankings for the reward model's accuracy.", required_input());
    v(&stages, "stages", "The stages.json of keel run: seconds, options and hashes of each stage.", input());
    v(&permuted_labels, "permuted_labels", "This is the control whose labels were shuffled.");
  }
};

std::vector<Json> read_metrics(const std::string& run) {
  const std::string path = run + "/metrics.jsonl";
  std::vector<Json> rows;
  for_each_line(path, [&](std::string_view line, int64_t number) {
    rows.push_back(parse_json(line, path + ":" + std::to_string(number)));
  });
  if (rows.empty()) throw Error(path, "expected a row for each step, got none");
  return rows;
}

Curve curve_of(const std::vector<Json>& rows, const std::string& name, const std::string& unit,
               const std::string& note) {
  Curve curve{name, unit, note, {}, {}};
  for (const Json& row : rows) {
    curve.steps.push_back(row["step"].get<double>());
    curve.values.push_back(row.contains(name) && row[name].is_number() ? row[name].get<double>()
                                                                       : std::nan(""));
  }
  return curve;
}

void add_curves(const std::vector<Json>& rows, ReportData& data) {
  data.curves = {
      curve_of(rows, "reward", "points",
               "Mean score by the reward model of each step's responses, penalties left out."),
      curve_of(rows, "kl", "nats",
               "Mean over responses of the sum of log-ratios to the reference, before the step's updates."),
      curve_of(rows, "value_loss", "",
               "Mean clipped squared error of the value, over the step's mini-batches."),
      curve_of(rows, "entropy", "nats", "Mean entropy of the next token, before the step's updates."),
      curve_of(rows, "response_length", "tokens",
               "Mean length of the step's responses, the end-of-text token included."),
  };
}

// The path of training in the plane of reward and √KL: means of twelve equal parts of the run.
void add_path(const std::vector<Json>& rows, ReportData& data) {
  const size_t parts = std::min<size_t>(12, rows.size());
  for (size_t part = 0; part < parts; ++part) {
    const size_t begin = part * rows.size() / parts, end = (part + 1) * rows.size() / parts;
    std::vector<double> rewards;
    double kl = 0;
    for (size_t i = begin; i < end; ++i) {
      rewards.push_back(rows[i]["reward"].get<double>());
      kl += rows[i]["kl"].get<double>() / static_cast<double>(end - begin);
    }
    data.ppo_frontier.push_back(
        {"steps " + std::to_string(begin + 1) + "–" + std::to_string(end), kl, mean_estimate(rewards)});
  }
}

// Where training ended, by both judges: the policy's held-out scores at the KL of the path's last part.
void add_final_policy(const std::string& name, ReportData& data) {
  for (const Arm& arm : data.arms)
    if (arm.name == name && arm.proxy && !data.ppo_frontier.empty())
      data.ppo_frontier.push_back({"final, on held-out prompts (KL of the last steps)",
                                   data.ppo_frontier.back().kl, *arm.proxy, arm.gold});
}

void add_stages(const std::string& path, ReportData& data) {
  if (path.empty() || !std::filesystem::exists(path)) return;
  const Json ledger = read_json(path);
  for (const Json& stage : json_get<Json>(ledger, "stages", Json::array(), path)) {
    StageRecord record{stage["name"], stage["seconds"], json_get<uint64_t>(stage["options"], "seed", 0, path),
                       stage["options"]};
    for (const auto& [name, hash] : stage["inputs"].items())
      record.hashes.emplace_back(name, hash.get<std::string>());
    data.stages.push_back(std::move(record));
  }
}

void run_report(ReportOptions& o) {
  ReportData data;
  data.title = o.title;
  const std::vector<Json> rows = read_metrics(o.ppo);
  evaluate_policies(o.evaluation, data);
  data.reward_model =
      evaluate_reward_model({.scorer = o.evaluation.scorer, .data = o.rankings, .seed = o.evaluation.seed});
  for (Accuracy& accuracy : annotator_accuracies(o.rankings))
    data.reward_model->accuracies.push_back(std::move(accuracy));
  add_curves(rows, data);
  add_path(rows, data);
  add_final_policy(o.evaluation.after, data);
  add_stages(o.stages, data);
  data.permuted_labels = o.permuted_labels;
  data.gold_judge =
      "a fixed rule over words (simulation/gold.h), from −8 to 8 points; the simulated annotators rank by it "
      "with noise, and no training stage sees it.";
  data.limits.push_back(
      "The gold judge looks for words: the customer's item, its colour, courtesy, an action that settles the "
      "problem. It does not know whether a sentence makes sense, so a full score can be nonsense.");
  const Json machine = machine_json(choose_device("auto"));
  for (const auto& [name, value] : machine.items())
    data.facts.emplace_back(name, value.is_string() ? value.get<std::string>() : json_text(value));
  write_file_atomically(o.output, render_report(data));
  write_file_atomically(std::filesystem::path(o.output).replace_extension(".json"),
                        json_text(report_data_json(data), 2) + "\n");
  std::cout << judge(data.comparison).sentence << "\n";
}

}  // namespace

std::vector<Stage> evaluation_stages() {
  return {
      make_stage("eval perplexity", "Loss and perplexity of a language model on held-out rows.",
                 "Token mean of the negative log-probability, its exponential, and the mean and standard "
                 "error over rows.\n\n    keel eval perplexity --model runs/sft/final --data held-out.jsonl",
                 &run_perplexity),
      make_stage(
          "eval reward", "Accuracy and calibration of a reward model on held-out rankings.",
          "Accuracy on strictly ordered pairs with Wilson's interval, and a reliability table; the same by "
          "difference of the rewards, by length, by margin and by group. `length` sets the model beside "
          "\"the shorter one is better\" and its opposite on the same pairs, and warns when length alone "
          "explains the reward. Of an ensemble, its members' accuracies and disagreement.\n\n    "
          "keel eval reward --model runs/reward/final --data held-out-rankings.jsonl",
          &run_reward_accuracy),
      make_stage("eval policies", "Win rates, best-of-n and a verdict on models by their samples.",
                 "Every arm is a file of `keel sample` on the same prompts. Intervals are bootstraps over "
                 "prompts.\n\n    keel eval policies --arms SFT=sft.jsonl PPO=ppo.jsonl --before SFT --after "
                 "PPO --reward-model runs/reward/final --output evaluation.json",
                 &run_policies),
      make_stage("report", "One HTML page on a whole run: verdict, curves, win rates, samples, limits.",
                 "The verdict's rule is fixed: improved only if the whole interval of the paired difference "
                 "in gold score lies above 0. `report.json` beside it holds every number.\n\n    keel run "
                 "--recipe recipes/demo.yaml",
                 &run_report),
  };
}

}  // namespace keel
