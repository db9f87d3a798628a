// A report with every part filled, from numbers made up by a seed.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "keel/base/random.h"
#include "keel/reports/report.h"
#include "keel/statistics/best_of_n.h"

namespace keel {

inline Curve example_curve(const std::string& name, const std::string& unit, double from, double to,
                           double noise, uint32_t which) {
  RandomSequence draws({.seed = 5, .step = which});
  Curve curve{.name = name, .unit = unit, .note = "Mean over 64 answers.", .steps = {}, .values = {}};
  for (int step = 1; step <= 60; ++step) {
    curve.steps.push_back(step);
    curve.values.push_back(from + (to - from) * (1 - std::exp(-step / 20.0)) + noise * draws.normal());
    curve.errors.push_back(noise * (1 + 0.3 * draws.uniform()));
  }
  return curve;
}

inline Estimate example_estimate(double value, double error, int64_t count) {
  return {value, error, {value - 1.96 * error, value + 1.96 * error}, count};
}

inline WinRate example_wins(double mean, uint64_t seed) {
  std::vector<double> first, second;
  for (uint32_t i = 0; i < 256; ++i) {
    first.push_back(std::round(mean + 2 * normal({.seed = seed, .prompt = i})));
    second.push_back(std::round(2 * normal({.seed = seed, .prompt = i, .sample = 1})));
  }
  return win_rate(first, second, {.seed = seed});
}

inline RewardModelPart example_reward_model() {
  std::vector<Prediction> predictions;
  for (uint32_t i = 0; i < 900; ++i) {
    const double difference = 1.6 * normal({.seed = 8, .prompt = i});
    const double truth = 1 / (1 + std::exp(-0.8 * difference));
    const bool first = uniform({.seed = 8, .prompt = i, .sample = 1}) < truth;
    predictions.push_back(first ? pair_prediction(difference, 0) : pair_prediction(0, difference));
  }
  return {.accuracies = {{"Reward model against held-out rankings", 655, 900},
                         {"Reward model against the gold judge, same pairs", 701, 862},
                         {"Annotators against the gold judge", 7112, 8600}},
          .calibration = calibration(predictions, 10, 0.5)};
}

inline std::vector<SamplePrompt> example_samples() {
  return {{.index = 17,
           .prompt = "Customer: hello, my blue kettle arrived broken. please help.\nClerk:",
           .answers = {{"SFT", " Sorry about that. We will look into it.", true, 1, -0.31},
                       {"PPO", " I am sorry about the blue kettle. I will send a new one today.", true, 8,
                        2.72}}},
          {.index = 203,
           .prompt = "Customer: do you have a green lamp in the shop.\nClerk:",
           .answers = {
               {"SFT", " Thank you for writing. I can check the stock room", false, 2, 0.12},
               {"PPO", " Thank you for your note about the green lamp. I will check the stock room today.",
                true, 8, 2.95}}}};
}

inline std::vector<StageRecord> example_stages() {
  const Json options = {{"steps", 60}, {"learning_rate", 3e-4}, {"kl_coef", 0.05}, {"schedule", "constant"}};
  return {{"pretrain", 71.2, 1, {{"documents", 40000}}, {{"final", std::string(64, 'a')}}},
          {"sft", 14.8, 1, {{"epochs", 2}}, {{"final", std::string(64, 'b')}}},
          {"reward", 22.5, 1, {{"epochs", 1}}, {{"final", std::string(64, 'c')}}},
          {"ppo", 128.4, 1, options, {{"final", std::string(64, 'd')}}}};
}

inline ReportData example_report() {
  ReportData data{.title = "Demo: a shop's help desk", .made_at = "2 May 2025, 14:05"};
  data.comparison =
      Comparison{3.64, 5.47, example_estimate(1.83, 0.21, 256), example_estimate(2.05, 0.12, 256)};
  data.gold_judge = "a rule over words that knows what the customer asked for; it gives −8 to 8 points.";
  data.curves = {example_curve("reward", "points", 0.1, 2.3, 0.12, 1),
                 example_curve("kl", "nats", 0, 6, 0.15, 2),
                 example_curve("value_loss", "points²", 1.9, 0.4, 0.05, 3),
                 example_curve("entropy", "nats a token", 0.9, 0.5, 0.02, 4),
                 example_curve("response_length", "tokens", 17, 21, 0.4, 5)};
  data.curves[0].start = 0.08;
  for (int step = 0; step <= 60; step += 10) {
    const double kl = 6.0 * step / 60;
    data.ppo_frontier.push_back({"step " + std::to_string(step), kl,
                                 example_estimate(0.1 + 0.92 * std::sqrt(kl), 0.06, 256),
                                 example_estimate(3.64 + 0.75 * std::sqrt(kl), 0.15, 256)});
  }
  for (const int64_t n : {1, 2, 4, 8, 16}) {
    const double root = std::sqrt(best_of_n_kl(n));
    data.best_of_n_frontier.push_back({"n = " + std::to_string(n), best_of_n_kl(n),
                                       example_estimate(0.1 + 0.95 * root, 0.07, 256),
                                       example_estimate(3.64 + 0.9 * root, 0.16, 256)});
  }
  data.reward_model = example_reward_model();
  data.arms = {{"base", example_estimate(2.41, 0.2, 256), example_estimate(-0.9, 0.1, 256),
                example_estimate(15.2, 0.5, 256), 249, 256, 0.61},
               {"SFT", example_estimate(3.64, 0.16, 256), example_estimate(0.08, 0.09, 256),
                example_estimate(17.0, 0.4, 256), 254, 256, 0.55},
               {"best-of-4", example_estimate(4.62, 0.14, 256), example_estimate(0.96, 0.07, 256),
                example_estimate(18.9, 0.4, 256), 256, 256, 0.53},
               {"PPO", example_estimate(5.47, 0.13, 256), example_estimate(2.13, 0.06, 256),
                example_estimate(20.8, 0.3, 256), 255, 256, 0.47}};
  data.duels = {{"base", "SFT", example_wins(-0.8, 1)},
                {"best-of-4", "SFT", example_wins(0.9, 2)},
                {"PPO", "SFT", example_wins(1.9, 3)},
                {"PPO", "best-of-4", example_wins(0.7, 4)}};
  data.samples = example_samples();
  data.sample_choice =
      "the first 2 of a permutation of the held-out prompts under seed 7, fixed before the run";
  data.limits = {"The gold judge is a rule over words: it does not know whether sentences make sense."};
  data.stages = example_stages();
  data.facts = {{"program", "keel 0.1.0"}, {"libtorch", "2.13.0"}, {"processor", "x86-64, 2 threads"}};
  return data;
}

}  // namespace keel
