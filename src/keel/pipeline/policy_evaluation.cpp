#include "keel/pipeline/policy_evaluation.h"

#include <algorithm>
#include <map>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/random.h"
#include "keel/simulation/annotators.h"
#include "keel/simulation/gold.h"
#include "keel/statistics/best_of_n.h"
#include "keel/statistics/diversity.h"
#include "keel/statistics/moments.h"

namespace keel {
namespace {

// Bootstraps of one evaluation draw independently: each has its own number.
enum Purpose : uint32_t { kGold = 1, kProxy, kLength, kDuel, kVerdict, kVerdictProxy, kFrontier };

Bootstrap bootstrap(const PolicyEvaluationOptions& o, Purpose purpose, size_t index = 0) {
  return {static_cast<uint64_t>(o.seed), static_cast<uint32_t>(purpose * 1000 + index)};
}

PolicySamples read_arm(const std::string& arm) {
  const size_t equals = arm.find('=');
  if (equals == std::string::npos) throw UsageError("--arms", "expected name=samples.jsonl, got " + arm);
  PolicySamples samples{arm.substr(0, equals), {}, {}};
  const std::string path = arm.substr(equals + 1);
  for (SampledPrompt& sampled : read_samples(path)) {
    samples.prompts.push_back(sampled.prompt);
    samples.answers.emplace_back();
    for (SampledAnswer& answer : sampled.answers) samples.answers.back().push_back({std::move(answer)});
  }
  return samples;
}

void judge_arm(PolicySamples& arm, Scorer& proxy) {
  std::vector<ScoredSample> samples;
  for (size_t i = 0; i < arm.prompts.size(); ++i)
    for (JudgedAnswer& answer : arm.answers[i]) {
      answer.gold = gold(arm.prompts[i], answer.text, answer.finished);
      samples.push_back({arm.prompts[i], answer.text, {}, {}, answer.finished});
    }
  std::vector<Score> scores(samples.size());
  proxy.score(samples, scores);
  size_t index = 0;
  for (auto& answers : arm.answers)
    for (JudgedAnswer& answer : answers) answer.proxy = scores[index++].reward;
}

// Of each prompt's first n answers the one that the proxy likes best.
PolicySamples best_of(const PolicySamples& arm, int64_t n) {
  PolicySamples best{"best-of-" + std::to_string(n), arm.prompts, {}};
  for (const auto& answers : arm.answers) {
    const auto end = answers.begin() + std::min<std::ptrdiff_t>(n, std::ssize(answers));
    best.answers.push_back({*std::max_element(
        answers.begin(), end, [](const auto& a, const auto& b) { return a.proxy < b.proxy; })});
  }
  return best;
}

template <class Value>
Estimate estimate(const PolicySamples& arm, Value value, const Bootstrap& options) {
  std::vector<double> values;
  std::vector<int64_t> cluster;
  for (size_t i = 0; i < arm.answers.size(); ++i)
    for (const JudgedAnswer& answer : arm.answers[i]) {
      values.push_back(static_cast<double>(value(answer)));
      cluster.push_back(static_cast<int64_t>(i));
    }
  return cluster_bootstrap_mean(values, cluster, options);
}

Arm arm_of(const PolicySamples& samples, const PolicyEvaluationOptions& o, size_t index) {
  Arm arm{samples.name, estimate(
                            samples, [](const auto& a) { return a.gold; }, bootstrap(o, kGold, index))};
  arm.proxy = estimate(
      samples, [](const auto& a) { return a.proxy; }, bootstrap(o, kProxy, index));
  arm.length = estimate(
      samples, [](const auto& a) { return std::ssize(a.ids); }, bootstrap(o, kLength, index));
  std::vector<std::vector<int64_t>> sequences;
  for (const auto& answers : samples.answers)
    for (const JudgedAnswer& answer : answers) {
      arm.finished += answer.finished;
      ++arm.answers;
      sequences.push_back(answer.ids);
    }
  arm.distinct_2 = distinct_n(sequences, 2).ratio();
  return arm;
}

std::vector<double> first_gold(const PolicySamples& arm) {
  std::vector<double> values;
  for (const auto& answers : arm.answers) values.push_back(answers.front().gold);
  return values;
}

template <class Value>
std::vector<double> prompt_means(const PolicySamples& arm, Value value) {
  std::vector<double> means;
  for (const auto& answers : arm.answers) {
    double sum = 0;
    for (const JudgedAnswer& answer : answers) sum += value(answer);
    means.push_back(sum / static_cast<double>(answers.size()));
  }
  return means;
}

Comparison compare(const PolicySamples& before, const PolicySamples& after,
                   const PolicyEvaluationOptions& o) {
  const auto gold_of = [](const JudgedAnswer& a) { return a.gold; };
  const auto proxy_of = [](const JudgedAnswer& a) { return a.proxy; };
  const auto gold_before = prompt_means(before, gold_of), gold_after = prompt_means(after, gold_of);
  Comparison comparison;
  comparison.policy = after.name;
  comparison.before = mean(gold_before);
  comparison.after = mean(gold_after);
  comparison.gold_difference = paired_bootstrap_difference(gold_before, gold_after, bootstrap(o, kVerdict));
  comparison.proxy_difference = paired_bootstrap_difference(
      prompt_means(before, proxy_of), prompt_means(after, proxy_of), bootstrap(o, kVerdictProxy));
  return comparison;
}

// Expected score of the best of n by rank weights, for n = 1, 2, 4, ... up to the samples there are.
std::vector<FrontierPoint> frontier(const PolicySamples& arm, const PolicyEvaluationOptions& o) {
  size_t samples = arm.answers.front().size();
  for (const auto& answers : arm.answers) samples = std::min(samples, answers.size());
  std::vector<FrontierPoint> points;
  for (int64_t n = 1; n <= static_cast<int64_t>(samples); n *= 2) {
    std::vector<double> proxy_values, gold_values;
    for (const auto& answers : arm.answers) {
      std::vector<double> proxy, gold_scores;
      for (const JudgedAnswer& answer : answers)
        proxy.push_back(answer.proxy), gold_scores.push_back(answer.gold);
      proxy_values.push_back(best_of_n(proxy, proxy, n));
      gold_values.push_back(best_of_n(proxy, gold_scores, n));
    }
    points.push_back({"n = " + std::to_string(n), best_of_n_kl(n),
                      bootstrap_mean(proxy_values, bootstrap(o, kFrontier, static_cast<size_t>(n))),
                      bootstrap_mean(gold_values, bootstrap(o, kFrontier, static_cast<size_t>(n) + 500))});
  }
  return points;
}

// Prompts by a keyed permutation: by seed, never by score.
std::vector<SamplePrompt> shown_samples(const PolicySamples& before, const PolicySamples& after,
                                        const PolicyEvaluationOptions& o) {
  const auto count = static_cast<int64_t>(before.prompts.size());
  const KeyedPermutation permutation(static_cast<uint64_t>(o.seed), 0, count, Stream::selection);
  std::vector<SamplePrompt> shown;
  for (int64_t i = 0; i < std::min(o.shown_prompts, count); ++i) {
    const auto index = static_cast<size_t>(permutation(i));
    SamplePrompt sample{static_cast<int64_t>(index), before.prompts[index], {}};
    for (const PolicySamples* arm : {&before, &after}) {
      const JudgedAnswer& answer = arm->answers[index].front();
      sample.answers.push_back({arm->name, answer.text, answer.finished, answer.gold, answer.proxy});
    }
    shown.push_back(std::move(sample));
  }
  return shown;
}

const PolicySamples& arm_named(const std::vector<PolicySamples>& arms, const std::string& name,
                               const std::string& flag) {
  for (const PolicySamples& arm : arms)
    if (arm.name == name) return arm;
  throw UsageError(flag, "expected an arm of --arms, got " + name);
}

// Every arm on the prompts of the first one, each name once.
std::vector<PolicySamples> read_arms(const PolicyEvaluationOptions& o) {
  std::vector<PolicySamples> arms;
  for (const std::string& arm : o.arms) {
    PolicySamples samples = read_arm(arm);
    for (const PolicySamples& earlier : arms)
      if (earlier.name == samples.name) throw UsageError("--arms", "expected each name once, got " + arm);
    if (!arms.empty() && samples.prompts != arms.front().prompts)
      throw Error(arm, "expected the prompts of the first arm in the same order, got others");
    arms.push_back(std::move(samples));
  }
  arm_named(arms, o.before, "--before");
  arm_named(arms, o.after, "--after");
  if (!o.best_of_arm.empty()) arm_named(arms, o.best_of_arm, "--best-of-arm");
  return arms;
}

}  // namespace

void evaluate_policies(const PolicyEvaluationOptions& o, ReportData& data) {
  std::vector<PolicySamples> arms = read_arms(o);
  std::vector<RewardModel> members;
  for (Model& model : o.scorer.open(Compute())) members.emplace_back(std::move(model), "");
  RewardEnsemble proxy(std::move(members), o.scorer.rule());
  for (PolicySamples& arm : arms) judge_arm(arm, proxy);
  const PolicySamples before = arm_named(arms, o.before, "--before"),
                      after = arm_named(arms, o.after, "--after");
  if (!o.best_of_arm.empty()) {
    const PolicySamples source = arm_named(arms, o.best_of_arm, "--best-of-arm");
    data.best_of_n_frontier = frontier(source, o);
    const auto place =
        std::find_if(arms.begin(), arms.end(), [&](const PolicySamples& arm) { return arm.name == o.after; });
    arms.insert(place, best_of(source, o.best_of));
  }
  for (size_t i = 0; i < arms.size(); ++i) data.arms.push_back(arm_of(arms[i], o, i));
  for (size_t i = 0; i < arms.size(); ++i)
    for (size_t j = i + 1; j < arms.size(); ++j)
      data.duels.push_back(
          {arms[j].name, arms[i].name,
           win_rate(first_gold(arms[j]), first_gold(arms[i]), bootstrap(o, kDuel, i * 32 + j))});
  data.comparison = compare(before, after, o);
  data.samples = shown_samples(before, after, o);
  data.sample_choice = "the first " + std::to_string(data.samples.size()) +
                       " places of the keyed permutation with seed " + std::to_string(o.seed) +
                       ", fixed before the run; each model's first sample";
}

std::vector<Accuracy> annotator_accuracies(const std::string& rankings) {
  std::map<std::string, PairAccuracy> counts;
  for_each_line(rankings, [&](std::string_view line, int64_t number) {
    const std::string where = rankings + ":" + std::to_string(number);
    const Json row = parse_json(line, where);
    if (json_get<std::string>(row, "kind", "", where) != "simulated") return;
    const auto prompt = json_get<std::string>(row, "prompt", "", where);
    std::vector<double> scores;
    // an answer without a word is kept as ids alone, its text null
    for (const Json& answer : json_get<Json>(row, "completions", Json::array(), where))
      scores.push_back(gold(prompt, answer.is_string() ? answer.get<std::string>() : "", true));
    const auto ranks = json_get<std::vector<int>>(row, "ranks", {}, where);
    if (ranks.size() == scores.size())
      count_pairs(scores, ranks, counts[json_get<std::string>(row, "annotator", "", where)]);
  });
  std::vector<Accuracy> accuracies;
  for (const auto& [name, count] : counts)
    accuracies.push_back(
        {"simulated annotator (" + name + ") against the gold judge, where it tells them apart",
         count.agreeing, count.pairs});
  return accuracies;
}

}  // namespace keel
