#include "keel/pipeline/reward_evaluation.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/log.h"
#include "keel/data/batches.h"
#include "keel/statistics/correlation.h"
#include "keel/statistics/moments.h"
#include "keel/trainers/inputs.h"

namespace keel {
namespace {

constexpr size_t kMostGroups = 20;
constexpr uint32_t kLengthBootstrap = 9000;  // Bootstrap::purpose, beyond those of policy_evaluation

std::string with_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

template <class Test>
Accuracy accuracy_where(const std::string& name, const std::vector<JudgedPair>& pairs, Test test) {
  Accuracy accuracy{name, 0, 0};
  for (const JudgedPair& pair : pairs)
    if (test(pair)) {
      ++accuracy.pairs;
      accuracy.right += pair.right();
    }
  return accuracy;
}

// Quarters of the pairs by a number, equal numbers together; fewer where the number hardly varies.
template <class Number>
AccuracyTable by_quarters(const std::string& name, const std::vector<JudgedPair>& pairs, Number number) {
  std::vector<double> sorted;
  for (const JudgedPair& pair : pairs) sorted.push_back(number(pair));
  std::sort(sorted.begin(), sorted.end());
  AccuracyTable table{name, {}};
  double low = sorted.front();
  for (size_t quarter = 1; quarter <= 4; ++quarter) {
    const double high = sorted[(sorted.size() * quarter + 3) / 4 - 1];
    const bool first = quarter == 1;
    const auto inside = [&](const JudgedPair& pair) {
      return (first ? number(pair) >= low : number(pair) > low) && number(pair) <= high;
    };
    const Accuracy group = accuracy_where(with_digits(low) + " to " + with_digits(high), pairs, inside);
    if (group.pairs > 0) table.groups.push_back(group);
    low = high;
  }
  return table;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

AccuracyTable by_length(const std::vector<JudgedPair>& pairs) {
  std::vector<double> sizes;
  for (const JudgedPair& pair : pairs)
    if (pair.longer != 0) sizes.push_back(std::abs(pair.longer));
  AccuracyTable table{"by length of the better completion less that of the worse one", {}};
  const double middle = sizes.empty() ? 0 : median(sizes);
  const std::string size = with_digits(middle) + " tokens";
  const auto add = [&](const std::string& name, double low, double high) {
    const Accuracy group = accuracy_where(
        name, pairs, [&](const JudgedPair& pair) { return pair.longer >= low && pair.longer <= high; });
    if (group.pairs > 0) table.groups.push_back(group);
  };
  const double far = std::numeric_limits<double>::infinity();
  add("shorter by more than " + size, -far, -middle - 0.5);
  add("shorter by up to " + size, -middle, -0.5);
  add("equally long", 0, 0);
  add("longer by up to " + size, 0.5, middle);
  add("longer by more than " + size, middle + 0.5, far);
  return table;
}

AccuracyTable by_group(const std::vector<JudgedPair>& pairs) {
  std::map<std::string, Accuracy> groups;
  for (const JudgedPair& pair : pairs) {
    Accuracy& group = groups[pair.group];
    group.name = pair.group;
    ++group.pairs;
    group.right += pair.right();
  }
  AccuracyTable table{"by group", {}};
  for (const auto& [name, group] : groups) table.groups.push_back(group);
  std::stable_sort(table.groups.begin(), table.groups.end(),
                   [](const Accuracy& a, const Accuracy& b) { return a.pairs > b.pairs; });
  Accuracy rest{"all others", 0, 0};
  while (table.groups.size() > kMostGroups) {
    rest.right += table.groups.back().right;
    rest.pairs += table.groups.back().pairs;
    table.groups.pop_back();
  }
  if (rest.pairs > 0) table.groups.push_back(rest);
  return table;
}

std::string warning_of(const LengthBias& length, const Accuracy& rule) {
  const auto percent = [](double share) { return with_digits(100 * share) + " %"; };
  const double explained = length.correlation ? *length.correlation * *length.correlation : 0;
  if (explained >= 0.5)
    return "length alone explains " + percent(explained) + " of the reward's variance within prompts";
  const bool beats_chance = wilson(rule.right, rule.pairs).low > 0.5;
  if (beats_chance && length.gain.interval.low <= 0)
    return "\"" + rule.name + "\" is right in " +
           percent(static_cast<double>(rule.right) / static_cast<double>(rule.pairs)) +
           " of the pairs that differ in length, and the model is not shown to be right more often";
  return "";
}

// What one reward model says of all completions.
struct Reading {
  ExampleSet set;
  std::vector<Score> scores;
};

Reading read_pairs(const std::string& folder, const RewardEvaluationOptions& o) {
  const Model model = open_reward_model(folder, o.compute, o.scorer.head_weights);
  const auto tokenizer = load_tokenizer(folder);
  Reading reading{open_examples(o.data, model, tokenizer ? &*tokenizer : nullptr, 0, TooLong::drop,
                                {RowKind::preference, RowKind::ranking}),
                  {}};
  std::vector<const Example*> all;
  for (const Example& example : reading.set.examples) all.push_back(&example);
  reading.scores = score_examples(model, all);
  return reading;
}

// The first member's examples with the scores of all.
Reading combined(const RewardEvaluationOptions& o) {
  std::vector<Reading> members;
  for (const std::string& folder : o.scorer.folders()) {
    members.push_back(read_pairs(folder, o));
    const auto line = [](const Example& example) { return example.line; };
    if (!std::ranges::equal(members.back().set.examples, members.front().set.examples, {}, line, line))
      throw Error(o.data, "expected rows that fit the context of every member, got some that fit " + folder +
                              " or the first one alone");
  }
  if (members.size() == 1) return std::move(members.front());
  Reading whole{std::move(members.front().set), {}};
  for (size_t i = 0; i < members.front().scores.size(); ++i) {
    std::vector<Score> of_completion;
    for (const Reading& member : members) of_completion.push_back(member.scores[i]);
    whole.scores.push_back(combined_score(of_completion, o.scorer.rule()));
  }
  return whole;
}

std::map<int64_t, std::string> groups_by_line(const RewardEvaluationOptions& o) {
  std::map<int64_t, std::string> groups;
  if (o.group_by.empty()) return groups;
  for (const Row& row : read_rows(o.data).rows) {
    const auto found = row.extra.find(o.group_by);
    if (found == row.extra.end())
      throw Error(o.data + ":" + std::to_string(row.line), "expected a field " + o.group_by +
                                                               " to group by, "
                                                               "got none");
    groups[row.line] = found->is_string() ? found->get<std::string>() : json_text(*found);
  }
  return groups;
}

std::vector<JudgedPair> pairs_of(const Reading& reading, const RewardEvaluationOptions& o) {
  const auto groups = groups_by_line(o);
  const bool ensemble = o.scorer.folders().size() > 1;
  std::vector<JudgedPair> all;
  size_t first = 0;
  for (const Example& example : reading.set.examples) {
    const RankedPairs pairs = ranked_pairs(example.ranks);
    for (size_t p = 0; p < pairs.better.size(); ++p) {
      const auto b = static_cast<size_t>(pairs.better[p]), w = static_cast<size_t>(pairs.worse[p]);
      const Score &better = reading.scores[first + b], &worse = reading.scores[first + w];
      const auto& scores = example.judgement.scores;
      JudgedPair pair{
          .line = example.line, .prompt = example.document, .better = better.reward, .worse = worse.reward};
      pair.longer =
          static_cast<double>(std::ssize(example.completions[b]) - std::ssize(example.completions[w]));
      pair.margin =
          scores.empty() ? static_cast<double>(example.ranks[w] - example.ranks[b]) : scores[b] - scores[w];
      for (size_t m = 0; ensemble && m < better.parts.size(); ++m)
        pair.members.push_back(better.parts[m] - worse.parts[m]);
      if (!groups.empty()) pair.group = groups.at(example.line);
      all.push_back(std::move(pair));
    }
    first += example.completions.size();
  }
  if (all.empty()) throw Error(o.data, "expected at least one strictly ordered pair, got none");
  return all;
}

EnsemblePart ensemble_part(const std::vector<JudgedPair>& pairs, const Reading& reading,
                           const std::vector<std::string>& folders) {
  EnsemblePart part;
  part.disagreement = disagreement(reading.scores);
  for (size_t m = 0; m < folders.size(); ++m) {
    Accuracy member{folders[m], 0, std::ssize(pairs)};
    for (const JudgedPair& pair : pairs) member.right += pair.members[m] > 0;
    part.members.push_back(member);
  }
  part.unanimous.name = "pairs that all members order alike";
  for (const JudgedPair& pair : pairs) {
    const auto right = std::ranges::count_if(pair.members, [](double lead) { return lead > 0; });
    part.unanimous.right += right == std::ssize(folders);
    part.unanimous.pairs += right == std::ssize(folders) || right == 0;
  }
  return part;
}

std::optional<LengthBias> length_of(const Reading& reading, const std::vector<JudgedPair>& pairs,
                                    uint64_t seed) {
  std::vector<double> lengths, rewards;
  std::vector<int64_t> prompts;
  for (const Example& example : reading.set.examples)
    for (const auto& completion : example.completions) {
      rewards.push_back(reading.scores[rewards.size()].reward);
      lengths.push_back(static_cast<double>(completion.size()));
      prompts.push_back(example.document);
    }
  return length_bias(pairs, lengths, rewards, prompts, seed);
}

// A line for each pair: the row's line, the rewards, and how many tokens longer the better completion is.
void write_pairs(const std::vector<JudgedPair>& pairs, const std::string& path) {
  AtomicFile file(path);
  for (const JudgedPair& pair : pairs) {
    const Json line = {
        {"line", pair.line}, {"better", pair.better}, {"worse", pair.worse}, {"longer", pair.longer}};
    file.write(json_text(line) + "\n");
  }
  file.commit();
}

}  // namespace

std::vector<AccuracyTable> accuracy_tables(const std::vector<JudgedPair>& pairs) {
  std::vector<AccuracyTable> tables = {
      by_quarters("by difference of the rewards", pairs,
                  [](const JudgedPair& pair) { return std::abs(pair.better - pair.worse); }),
      by_length(pairs)};
  const AccuracyTable margins =
      by_quarters("by margin of the judgement", pairs, [](const JudgedPair& pair) { return pair.margin; });
  if (margins.groups.size() > 1) tables.push_back(margins);
  const AccuracyTable groups = by_group(pairs);
  if (groups.groups.size() > 1) tables.push_back(groups);
  return tables;
}

std::optional<LengthBias> length_bias(const std::vector<JudgedPair>& pairs, std::span<const double> lengths,
                                      std::span<const double> rewards, std::span<const int64_t> prompts,
                                      uint64_t seed) {
  LengthBias bias;
  bias.correlation = within_group_correlation(rewards, lengths, prompts);
  const auto differs = [](const JudgedPair& pair) { return pair.longer != 0; };
  bias.model = accuracy_where("the model", pairs, differs);
  if (bias.model.pairs == 0) return std::nullopt;
  const auto shorter = std::ranges::count_if(pairs, [](const JudgedPair& pair) { return pair.longer < 0; });
  bias.shorter = {"the shorter one is better", shorter, bias.model.pairs};
  bias.longer = {"the longer one is better", bias.model.pairs - shorter, bias.model.pairs};
  const bool short_wins = 2 * shorter >= bias.model.pairs;
  std::vector<double> rule, model;
  std::vector<int64_t> clusters;
  for (const JudgedPair& pair : pairs)
    if (differs(pair)) {
      rule.push_back((pair.longer < 0) == short_wins ? 1 : 0);
      model.push_back(pair.right() ? 1 : 0);
      clusters.push_back(pair.prompt);
    }
  bias.gain = cluster_bootstrap_difference({rule, clusters}, {model, clusters},
                                           {.seed = seed, .purpose = kLengthBootstrap});
  bias.warning = warning_of(bias, short_wins ? bias.shorter : bias.longer);
  return bias;
}

RewardModelPart evaluate_reward_model(const RewardEvaluationOptions& o) {
  const Reading reading = combined(o);
  const std::vector<JudgedPair> pairs = pairs_of(reading, o);
  if (!o.pairs.empty()) write_pairs(pairs, o.pairs);
  RewardModelPart part;
  part.accuracies.push_back(
      accuracy_where("reward model on held-out rankings", pairs, [](const JudgedPair&) { return true; }));
  std::vector<Prediction> predictions;
  for (const JudgedPair& pair : pairs) predictions.push_back(pair_prediction(pair.better, pair.worse));
  part.calibration = calibration(predictions, 5, 0.5);
  part.tables = accuracy_tables(pairs);
  part.length = length_of(reading, pairs, static_cast<uint64_t>(o.seed));
  if (part.length && !part.length->warning.empty()) log_warning(part.length->warning);
  const std::vector<std::string> folders = o.scorer.folders();
  if (folders.size() > 1) part.ensemble = ensemble_part(pairs, reading, folders);
  return part;
}

}  // namespace keel
