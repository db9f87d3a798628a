// Ouyang et al. 2022, section 3.5: every prompt's K(K-1)/2 comparisons are one element of the batch, its
// completions one pass over a shared prompt. Rows with a label train the same head as a classifier whose
// logit is the reward.
#include "keel/trainers/reward.h"

#include <algorithm>
#include <cmath>

#include "keel/algorithms/preference_loss.h"
#include "keel/base/error.h"
#include "keel/base/log.h"
#include "keel/data/batches.h"
#include "keel/data/micro_batches.h"
#include "keel/models/model_folder.h"
#include "keel/scoring/reward_model.h"
#include "keel/statistics/intervals.h"
#include "keel/trainers/inputs.h"
#include "keel/trainers/supervised.h"

namespace keel {
namespace {

struct RewardTask {
  Model model;
  std::optional<Tokenizer> tokenizer;
  bool labels = false;     // yes/no rows instead of rankings
  double every_token = 0;  // share of a label's loss that is asked of all tokens
  MicroBatchLimits limits = {};
};

struct BatchMeasure {
  double loss = 0, margin = 0;  // margin: mean better - worse, or positive - negative logit
  int64_t right = 0, judged = 0, tokens = 0;
};

// The elements that the loss is a mean over: prompts with a strict pair, or labelled rows.
int64_t elements(std::span<const Example* const> batch, bool labels) {
  return labels ? static_cast<int64_t>(batch.size())
                : std::count_if(batch.begin(), batch.end(),
                                [](const Example* e) { return has_strict_pair(*e); });
}

struct PieceLoss {
  Tensor loss, advantage;  // advantage (P): better - worse, or the logit with the label's sign
};

PieceLoss comparison_loss(const Tensor& rewards, std::span<const Example* const> piece,
                          const JudgedBatch& input, int64_t count) {
  const ComparisonBatch pairs = comparison_batch(piece, input, count);
  const at::Device device = rewards.device();
  const Tensor better = rewards.index_select(0, pairs.better.to(device)),
               worse = rewards.index_select(0, pairs.worse.to(device));
  return {preference_loss(better, worse, {}, pairs.weight.to(device, rewards.scalar_type())),
          (better - worse).detach()};
}

Tensor labels_of(std::span<const Example* const> piece, const Tensor& like) {
  std::vector<float> values;
  for (const Example* example : piece) values.push_back(*example->label ? 1.0F : 0.0F);
  return at::tensor(values).to(like.device(), like.scalar_type());
}

PieceLoss labelled_loss(const Tensor& logits, const Tensor& label, int64_t count) {
  const Tensor weight = at::full_like(label, 1.0 / static_cast<double>(count));
  return {label_loss(logits, label, weight), (logits * (2 * label - 1)).detach()};
}

// The label asked of every token, the later the more (Cobbe et al. 2021, section 4.2: verifiers that judge
// every token of a solution learn longer before they overfit than those that judge its end).
Tensor every_token_loss(const Role& role, const Tensor& hidden, const JudgedBatch& input, const Tensor& label,
                        int64_t count) {
  const TokenRows tokens = token_rows(input);
  const Tensor weight = tokens.weight.to(label.device(), label.scalar_type()) / static_cast<double>(count);
  return label_loss(scalar_values(role, hidden, tokens.row),
                    label.index_select(0, tokens.completion.to(label.device())), weight);
}

PieceLoss piece_loss(const RewardTask& task, const Tensor& hidden, std::span<const Example* const> piece,
                     const JudgedBatch& input, int64_t count) {
  const Role role = role_of(task.model);
  const Tensor rewards = scalar_values(role, hidden, input.last_rows);
  if (!task.labels) return comparison_loss(rewards, piece, input, count);
  const Tensor label = labels_of(piece, rewards);
  PieceLoss result = labelled_loss(rewards, label, count);
  if (task.every_token > 0)
    result.loss = (1 - task.every_token) * result.loss +
                  task.every_token * every_token_loss(role, hidden, input, label, count);
  return result;
}

void add_piece(BatchMeasure& measured, const PieceLoss& piece) {
  measured.loss += piece.loss.item().toDouble();
  measured.right += piece.advantage.gt(0).sum().item().toLong();
  measured.margin += piece.advantage.sum().item().toDouble();
  measured.judged += piece.advantage.numel();
}

Tensor read_rows(const JudgedBatch& input, bool every_token) {
  return every_token ? distinct_rows({input.last_rows, token_rows(input).row})
                     : distinct_rows({input.last_rows});
}

BatchMeasure batch_loss(const RewardTask& task, const std::vector<const Example*>& batch,
                        const Dropout* keyed) {
  BatchMeasure measured;
  const int64_t count = std::max<int64_t>(1, elements(batch, task.labels));
  const Role role = role_of(task.model);
  for (const auto& part : micro_batches(batch, task.limits)) {
    JudgedBatch input = judged_batch(part, task.model.head.pad_id);
    std::optional<Dropout> dropout;
    if (keyed != nullptr)
      dropout = Dropout{keyed->rate, keyed->seed, keyed->step, std::move(input.documents)};
    const Tensor hidden = forest_hidden(*role.trunk, input.forest,
                                        {role.precision, dropout ? &*dropout : nullptr,
                                         read_rows(input, task.every_token > 0), role.recompute});
    const PieceLoss piece = piece_loss(task, hidden, part, input, count);
    if (piece.loss.requires_grad()) piece.loss.backward();
    add_piece(measured, piece);
    measured.tokens += input.forest.size();
  }
  return measured;
}

Json training_metrics(const BatchMeasure& measured) {
  const auto judged = static_cast<double>(std::max<int64_t>(1, measured.judged));
  return {{"accuracy", static_cast<double>(measured.right) / judged}, {"margin", measured.margin / judged}};
}

// Right orders of the latest batches, each batch counting nine tenths of the next one.
class RecentOrder {
 public:
  void add(const BatchMeasure& measured) {
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

struct Validation {
  double loss = 0;
  int64_t right = 0, judged = 0;
};

Validation validate(const RewardTask& task, const ExampleSet& set, BatchBounds bounds) {
  at::NoGradGuard no_grad;
  Validation result;
  int64_t count = 0;
  const DataOrder order(set.row_tokens(), bounds, 0, false, std::ssize(set.examples));
  for (int64_t step = 0;; ++step) {
    const auto batch = pick(set, order.batch(step));
    if (batch.empty()) break;
    const int64_t part = elements(batch, task.labels);
    const BatchMeasure measured = batch_loss(task, batch, nullptr);
    result.loss += measured.loss * static_cast<double>(part);
    result.right += measured.right;
    result.judged += measured.judged;
    count += part;
  }
  result.loss /= static_cast<double>(std::max<int64_t>(1, count));
  return result;
}

Json validation_row(const Validation& v) {
  Json row = {{"validation_loss", v.loss}};
  row.update(validation_accuracy(v.right, v.judged));
  return row;
}

// Mean and deviation of the reward over demonstrations; the head is changed so that they become 0 (and 1).
void normalize(RewardTask& task, const RewardOptions& options, Json& summary) {
  if (options.normalization == "none") return;
  const ExampleSet set =
      open_examples(options.center_on, task.model, task.tokenizer ? &*task.tokenizer : nullptr,
                    options.max_length, TooLong::drop, {RowKind::completion, RowKind::text});
  std::vector<const Example*> all;
  for (const Example& example : set.examples) all.push_back(&example);
  const Tensor rewards = at::tensor(reward_examples(task.model, all), at::kDouble);
  const double mean = rewards.mean().item().toDouble(), deviation = rewards.std().item().toDouble();
  const double scale = options.normalization == "unit" ? 1 / deviation : 1;
  at::NoGradGuard no_grad;
  task.model.head.weight.mul_(scale);
  task.model.head.shift = (task.model.head.shift - mean) * scale;
  summary["normalization_mean"] = mean;
  summary["normalization_deviation"] = deviation;
  log_warning("the reward's shift is kept in config.json as keel_reward_shift: other programs do not add it");
}

RewardTask open_task(const RewardOptions& options) {
  RewardTask task{.model = open_model(options.model, options.compute),
                  .tokenizer = load_tokenizer(options.model),
                  .every_token = options.every_token};
  if (task.model.head.kind != HeadKind::scalar)
    task.model = with_scalar_head(task.model, static_cast<uint64_t>(options.seed));
  if (!task.model.head.pad_id) task.model.head.pad_id = choose_pad_id(task.model);
  task.limits = options.micro_batch_limits(task.model);
  if (options.read_at == "before_end") {
    task.model.head.pad_id = end_id(task.model, task.tokenizer ? &*task.tokenizer : nullptr);
    if (!task.model.head.pad_id)
      throw UsageError("--read-at",
                       "expected a model with an end-of-text id to read before, got one without");
  }
  return task;
}

ExampleSet open_judged(const std::string& path, const RewardTask& task, int64_t max_length) {
  ExampleSet set = open_examples(path, task.model, task.tokenizer ? &*task.tokenizer : nullptr, max_length,
                                 TooLong::drop, {RowKind::preference, RowKind::ranking, RowKind::label});
  const auto teaches = [](const Example& e) { return e.label.has_value() || has_strict_pair(e); };
  if (std::none_of(set.examples.begin(), set.examples.end(), teaches))
    throw Error(path, "expected at least one strictly ordered pair or label, got ties alone");
  return set;
}

bool holds_labels(const ExampleSet& set, const std::string& path) {
  const auto labelled = std::count_if(set.examples.begin(), set.examples.end(),
                                      [](const Example& e) { return e.label.has_value(); });
  if (labelled != 0 && labelled != static_cast<int64_t>(set.examples.size()))
    throw Error(path, "expected rankings or labels, got both: train on one kind at a time");
  return labelled != 0;
}

}  // namespace

RewardOptions::RewardOptions() {
  learning_rate = 5e-5;
}

void RewardOptions::visit(OptionVisitor& v) {
  SupervisedOptions::visit(v);
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
  if (select == "reward") throw UsageError("--select", "expected last or loss for a reward model");
  if ((normalization == "none") != center_on.empty())
    throw UsageError("--center-on", "expected --center-on and --normalization mean or unit together");
}

void train_reward(RewardOptions& options) {
  RewardTask reward = open_task(options);
  const ExampleSet data = open_judged(options.data, reward, options.max_length);
  reward.labels = holds_labels(data, options.data);
  if (reward.every_token > 0 && !reward.labels)
    throw UsageError("--every-token", "expected rows with labels, got rankings in " + options.data);
  ExampleSet validation;
  SupervisedTask task{"reward",
                      &reward.model,
                      data.row_tokens(),
                      {options.model, options.data, options.validation, options.center_on},
                      reward.limits};
  RecentOrder recent;
  task.learn = [&](const std::vector<int64_t>& rows, const Dropout* dropout) {
    const BatchMeasure measured = batch_loss(reward, pick(data, rows), dropout);
    recent.add(measured);
    return BatchResult{measured.loss, measured.tokens, training_metrics(measured)};
  };
  if (!options.validation.empty()) {
    validation = open_judged(options.validation, reward, options.max_length);
    task.evaluate = [&] {
      const Validation measured = validate(reward, validation, options.batch_bounds());
      return Evaluation{measured.loss, validation_row(measured)};
    };
  }
  task.conclude = [&](Json& summary) {
    if (recent.reversed())
      log_warning("the better completions score below the worse ones: are the labels or a sign reversed?");
    normalize(reward, options, summary);
  };
  train_supervised(task, options);
}

}  // namespace keel
