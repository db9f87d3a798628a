#include "keel/trainers/reward.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "keel/base/error.h"
#include "keel/base/log.h"
#include "keel/data/value_scale.h"
#include "keel/models/model_folder.h"
#include "keel/scoring/reward_model.h"
#include "keel/statistics/correlation.h"
#include "keel/statistics/intervals.h"
#include "keel/trainers/inputs.h"
#include "keel/trainers/reward_update.h"
#include "keel/trainers/scorer_options.h"
#include "keel/trainers/supervised.h"

namespace keel {
namespace {

struct RewardTask {
  Model model;
  std::optional<Tokenizer> tokenizer;
  RewardSettings settings;
  ValueScale scale;

  const Tokenizer* tokens() const { return tokenizer ? &*tokenizer : nullptr; }
};

// Right orders of the latest batches, each batch counting nine tenths of the next one.
class RecentOrder {
 public:
  void add(const RewardMeasure& measured) {
    right_ = 0.9 * right_ + static_cast<double>(measured.right);
    judged_ = 0.9 * judged_ + static_cast<double>(measured.judged);
  }
  /// More wrong than right, beyond chance.
  bool reversed() const {
    return judged_ >= 1 && wilson(std::llround(right_), std::llround(judged_)).high < 0.5;
  }

 private:
  double right_ = 0, judged_ = 0;
};

// Means over all validation rows.
RewardMeasure validate(const RewardTask& task, const ExampleSet& set, BatchBounds bounds) {
  at::NoGradGuard no_grad;
  RewardMeasure all;
  double whole = 0;
  const DataOrder order(set.row_tokens(), bounds, 0, false, std::ssize(set.examples));
  for (int64_t step = 0;; ++step) {
    const auto batch = pick(set, order.batch(step));
    if (batch.empty()) break;
    const double part = element_weight(batch, task.settings);
    RewardMeasure measured = learn_judgements(task.model, batch, task.settings, nullptr);
    measured.loss *= part;
    measured.right_weight *= part;
    measured.judged_weight *= part;
    all.add(measured);
    whole += part;
  }
  if (whole > 0) all.loss /= whole;
  return all;
}

// How far the values that are read follow those that were wanted, of each dimension.
void add_correlations(Json& row, const RewardMeasure& measured, const std::vector<std::string>& dimensions) {
  for (size_t d = 0; d < dimensions.size(); ++d) {
    const auto correlation = pearson(measured.values[d], measured.targets[d]);
    const std::string name = "validation_correlation" + (dimensions.size() == 1 ? "" : "_" + dimensions[d]);
    row[name] = correlation ? Json(*correlation) : Json();
  }
}

// How much righter the personal labels are than everyone's alone, on the same pairs.
void add_personal_gain(Json& row, const RewardMeasure& m) {
  const Interval gain = paired_difference(m.gained, m.lost, m.judged);
  const auto judged = static_cast<double>(std::max<int64_t>(1, m.judged));
  row["validation_accuracy_everyone"] = static_cast<double>(m.right - m.gained + m.lost) / judged;
  row["validation_personal_gain"] = static_cast<double>(m.gained - m.lost) / judged;
  row["validation_personal_gain_low"] = gain.low;
  row["validation_personal_gain_high"] = gain.high;
}

Evaluation evaluation_of(const RewardMeasure& measured, const RewardSettings& settings) {
  Json row = {{"validation_loss", measured.loss}};
  if (settings.judged == Judged::values)
    add_correlations(row, measured, settings.dimensions);
  else
    row.update(validation_accuracy(measured.right, measured.judged));
  if (settings.weighted) row["validation_weighted_accuracy"] = weighted_accuracy(measured);
  if (!settings.people.empty()) add_personal_gain(row, measured);
  return {measured.loss, row};
}

// Mean and deviation of the reward over demonstrations; the head is changed so that they become 0 (and 1).
void normalize(RewardTask& task, const RewardOptions& options, Json& summary) {
  if (options.normalization == "none") return;
  const ExampleSet set = open_examples(options.center_on, task.model, task.tokens(), options.max_length,
                                       TooLong::drop, {RowKind::completion, RowKind::text});
  std::vector<const Example*> all;
  for (const Example& example : set.examples) all.push_back(&example);
  std::vector<double> read;
  for (const Score& score : score_examples(task.model, all)) read.push_back(score.reward);
  const Tensor rewards = at::tensor(read, at::kDouble);
  const double center = rewards.mean().item().toDouble(), deviation = rewards.std().item().toDouble();
  if (options.normalization == "unit" && !(deviation > 0))
    throw Error(options.center_on,
                "expected rewards that differ, to make their variance 1, got one or equal ones");
  const double scale = options.normalization == "unit" ? 1 / deviation : 1;
  at::NoGradGuard no_grad;
  task.model.head.weight.mul_(scale);
  task.model.head.shift = (task.model.head.shift - center) * scale;
  summary["normalization_mean"] = center;
  summary["normalization_deviation"] = deviation;
  log_warning("the reward's shift is kept in config.json as keel_reward_shift: other programs do not add it");
}

ExampleSet open_judged(const std::string& path, RewardTask& task, int64_t max_length) {
  ExampleSet set = open_examples(path, task.model, task.tokens(), max_length, TooLong::drop,
                                 {RowKind::preference, RowKind::ranking, RowKind::label, RowKind::rating,
                                  RowKind::completion, RowKind::text});
  task.scale.standardise(set.examples);
  return set;
}

Judged kind_of(const Example& example) {
  if (example.label) return Judged::labels;
  return example.ranks.empty() ? Judged::values : Judged::comparisons;
}

// One kind for all rows. Errors: [path] several.
Judged kind_of(const ExampleSet& set, const std::string& path) {
  const Judged kind = kind_of(set.examples.front());
  for (const Example& example : set.examples)
    if (kind_of(example) != kind)
      throw Error(path,
                  "expected rankings, labels or numbers, got more than one: train on one kind at a time");
  return kind;
}

void check_rows(const ExampleSet& set, const RewardSettings& settings, const std::string& path) {
  if (kind_of(set, path) != settings.judged)
    throw Error(path, "expected rows of the training data's kind, got another one");
  if (settings.judged != Judged::comparisons) return;
  const Ties ties = settings.pairs.ties;
  const auto teaches = [&](const Example& e) { return has_pair(e, ties); };
  if (std::none_of(set.examples.begin(), set.examples.end(), teaches))
    throw Error(path, "expected at least one strictly ordered pair or label, got ties alone");
  if (settings.pairs.margin_scale == 0) return;
  for (const Example& example : set.examples)
    if (teaches(example) && example.judgement.scores.empty())
      throw Error(path,
                  "expected `scores` beside the completions of every row for --margin-scale, got a row "
                  "without");
}

std::vector<std::string> dimensions_of(const ExampleSet& set) {
  std::set<std::string> names;
  for (const Example& example : set.examples)
    for (const auto& [dimension, value] : example.judgement.values) names.insert(dimension);
  return {names.begin(), names.end()};
}

void check_dimensions(const ExampleSet& set, const RewardSettings& settings, const std::string& path) {
  for (const std::string& name : dimensions_of(set))
    if (settings.judged == Judged::values &&
        !std::binary_search(settings.dimensions.begin(), settings.dimensions.end(), name))
      throw Error(path, "expected the training data's dimensions, got " + name);
}

Model open_start(const RewardOptions& options) {
  if (!options.from_scratch) return open_model(options.model, options.compute);
  const at::Device device = options.compute.chosen_device();
  Model model = on_device(new_model_like(options.model, static_cast<uint64_t>(options.seed)), device);
  model.precision = choose_precision(options.compute.precision, model.config().hidden, device);
  return model;
}

Person person_named(const std::string& name) {
  return name == "annotator" ? Person::annotator : name == "group" ? Person::group : Person::nobody;
}

// Those who judged the rows, in order. Errors: UsageError when no row says it.
std::vector<std::string> people_of(const ExampleSet& set, Person person, const RewardOptions& options) {
  std::set<std::string> names;
  for (const Example& example : set.examples) names.insert(person_of(example, person));
  names.erase("");
  if (names.empty())
    throw UsageError("--personal",
                     "expected rows with a field " + options.personal + ", got none in " + options.data);
  return {names.begin(), names.end()};
}

// A label for everyone and one for each person, which begins as nothing.
void fit_personal_head(RewardTask& task, const RewardOptions& options) {
  Model& model = task.model;
  std::vector<std::string> labels = {kEveryone};
  labels.insert(labels.end(), task.settings.people.begin(), task.settings.people.end());
  if (model.head.kind != HeadKind::scalar || model.head.labels != labels) {
    model = with_scalar_head(model, static_cast<uint64_t>(options.seed), labels);
    model.head.weight.narrow(0, 1, std::ssize(task.settings.people)).zero_();
  }
  model.head.mix.assign(labels.size(), 0);
  model.head.mix.front() = 1;
}

// The head that the rows ask for: the model's own, or a new one.
void fit_head(RewardTask& task, const RewardOptions& options) {
  Model& model = task.model;
  if (!task.settings.people.empty()) fit_personal_head(task, options);
  const std::vector<std::string>& dimensions =
      task.settings.people.empty() ? task.settings.dimensions : model.head.labels;
  const bool several = dimensions.size() > 1, one = dimensions.size() == 1;
  const bool own = model.head.kind == HeadKind::scalar &&
                   (several ? model.head.labels == dimensions : !one || model.head.weight.size(0) == 1);
  if (!own)
    model = with_scalar_head(model, static_cast<uint64_t>(options.seed),
                             several ? dimensions : std::vector<std::string>{"LABEL_0"});
  if (several && model.head.mix.empty()) mix_evenly(model.head);
  set_head_weights(model, options.head_weights);
  check_reward_known(model);
  if (several) model.head.shift = 0;  // the labels are taught, not their sum
  if (!model.head.pad_id) model.head.pad_id = choose_pad_id(model);
  if (options.read_at != "before_end") return;
  model.head.pad_id = end_id(model, task.tokens());
  if (!model.head.pad_id)
    throw UsageError("--read-at", "expected a model with an end-of-text id to read before, got one without");
}

void check_fits(const RewardOptions& options, Judged judged) {
  const auto only = [&](bool asked, const char* flag, const std::string& wanted) {
    if (asked) throw UsageError(flag, "expected " + wanted + ", got other rows in " + options.data);
  };
  only(options.every_token > 0 && judged != Judged::labels, "--every-token", "rows with labels");
  only(options.ties != "drop" && judged != Judged::comparisons, "--ties", "rankings");
  only(options.margin_scale != 0 && judged != Judged::comparisons, "--margin-scale", "rankings");
  only(options.personal != "none" && judged == Judged::values, "--personal", "rankings or labels");
}

bool is_weighted(const ExampleSet& set) {
  return std::any_of(set.examples.begin(), set.examples.end(),
                     [](const Example& e) { return e.judgement.weight != 1; });
}

// What the rows are, and what is to be learned from them.
void settle(RewardTask& task, const ExampleSet& data, const RewardOptions& options) {
  RewardSettings& settings = task.settings;
  settings.judged = kind_of(data, options.data);
  check_fits(options, settings.judged);
  settings.pairs = {options.ties == "half" ? Ties::half : Ties::drop, options.margin_scale};
  settings.every_token = options.every_token;
  settings.weighted = settings.judged != Judged::values && is_weighted(data);
  if (settings.judged == Judged::values) settings.dimensions = dimensions_of(data);
  settings.person = person_named(options.personal);
  settings.personal_penalty = options.personal == "none" ? 0 : options.personal_penalty;
  if (settings.person != Person::nobody) settings.people = people_of(data, settings.person, options);
  check_rows(data, settings, options.data);
  fit_head(task, options);
  settings.limits = options.micro_batch_limits(task.model);
}

// One reward model: a run of its own.
void train_member(RewardOptions& options) {
  RewardTask reward{open_start(options),
                    load_tokenizer(options.model),
                    {},
                    ValueScale(standardise_named(options.standardise))};
  const ExampleSet data = open_judged(options.data, reward, options.max_length);
  settle(reward, data, options);
  ExampleSet validation;
  SupervisedTask task{"reward",
                      &reward.model,
                      data.row_tokens(),
                      {options.model, options.data, options.validation, options.center_on},
                      reward.settings.limits};
  RecentOrder recent;
  task.learn = [&](const std::vector<int64_t>& rows, const Dropout* dropout) {
    const RewardMeasure measured = learn_judgements(reward.model, pick(data, rows), reward.settings, dropout);
    recent.add(measured);
    return BatchResult{measured.loss, measured.tokens, reward_metrics(measured, reward.settings)};
  };
  if (!options.validation.empty()) {
    validation = open_judged(options.validation, reward, options.max_length);
    check_rows(validation, reward.settings, options.validation);
    check_dimensions(validation, reward.settings, options.validation);
    task.evaluate = [&] {
      return evaluation_of(validate(reward, validation, options.batch_bounds()), reward.settings);
    };
  }
  task.conclude = [&](Json& summary) {
    if (recent.reversed())
      log_warning("the better completions score below the worse ones: are the labels or a sign reversed?");
    normalize(reward, options, summary);
  };
  train_supervised(task, options);
}

// Seeds so far apart that ensembles of neighbouring seeds share no member.
constexpr int64_t kSeedsApart = 1000;

}  // namespace

RewardOptions::RewardOptions() {
  learning_rate = 5e-5;
}

void RewardOptions::visit(OptionVisitor& v) {
  SupervisedOptions::visit(v);
  v(&ties, "ties",
    "Completions of equal rank: no pair (drop), or a pair in both orders, each with half its weight (half).",
    one_of({"drop", "half"}));
  v(&margin_scale, "margin_scale",
    "The better completion is to lead by this times the difference of the two `scores` (Touvron 2023, "
    "equation 2).",
    at_least(0));
  v(&standardise, "standardise",
    "Numbers to learn (`score`, `ratings`), less their mean and over their deviation: of all rows (all), or "
    "of each `annotator`.",
    one_of({"none", "all", "annotator"}));
  v(&personal, "personal",
    "Preferences of their own: the reward of a judgement is that of everyone and what its `annotator` (or "
    "`group`) adds, a label of the head each. Validation tells the gain over everyone's alone; "
    "--head-weights everyone=1 NAME=1 of ppo, score and eval reads the reward as NAME does.",
    one_of({"none", "annotator", "group"}));
  v(&personal_penalty, "personal_penalty",
    "Of what a person adds: this times its squared length is part of the loss, so that few judgements tell "
    "nobody apart.",
    at_least(0));
  v(&head_weights, "head_weights",
    "Of ratings: what each dimension weighs in the reward, as name=number; default: all the same.");
  v(&from_scratch, "from_scratch", "New weights for the architecture of --model, whose own are not read.");
  v(&members, "members",
    "Reward models trained one after the other, with heads and data orders of their own seeds (seed, seed + "
    "1000, ...), for an ensemble: their runs are in member-1, member-2, ... of --output.",
    at_least(1));
  v(&normalization, "normalization",
    "After training: mean reward 0 on --center-on (mean, InstructGPT), or mean 0 and variance 1 (unit, "
    "Ziegler 2019).",
    one_of({"none", "mean", "unit"}));
  v(&read_at, "read_at",
    "Where the reward is read: at the last token, or before the end-of-text id, so that ending tells it "
    "nothing.",
    one_of({"last", "before_end"}));
  v(&every_token, "every_token",
    "Labels only: the share of the loss that asks the label of every token, the later the more; the rest "
    "asks the last.",
    within(0, 1));
  v(&center_on, "center_on", "Demonstrations whose mean reward becomes 0.", input());
}

void RewardOptions::check() const {
  SupervisedOptions::check();
  if (personal != "none" && every_token > 0)
    throw UsageError("--every-token", "expected none with --personal");
  if (select == "reward") throw UsageError("--select", "expected last or loss for a reward model");
  if ((normalization == "none") != center_on.empty())
    throw UsageError("--center-on", "expected --center-on and --normalization mean or unit together");
}

void train_reward(RewardOptions& options) {
  if (options.members == 1) return train_member(options);
  for (int64_t number = 1; number <= options.members; ++number) {
    log_info("member " + std::to_string(number) + " of " + std::to_string(options.members));
    RewardOptions member = options;
    member.members = 1;
    member.seed += kSeedsApart * (number - 1);
    member.output = member_folder(options.output, number).string();
    train_member(member);
  }
  write_ensemble(options.output, options.members);
}

}  // namespace keel
