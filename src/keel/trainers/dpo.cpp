// Rafailov et al. 2023, section 4. Every prompt's comparisons are one element of the batch, as in the reward
// trainer (Ouyang et al. 2022, section 3.5), its completions one pass over a shared prompt.
#include "keel/trainers/dpo.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/trainers/dpo_update.h"
#include "keel/trainers/inputs.h"
#include "keel/trainers/supervised.h"

namespace keel {
namespace {

struct DpoTask {
  Model policy;
  std::optional<Tokenizer> tokenizer;
  ReferenceLogps reference;
  DpoSettings settings;
  MicroBatchLimits limits;
};

Model open_reference_of(const DpoOptions& o, const Model& policy) {
  const std::string& folder = o.reference_model.empty() ? o.model : o.reference_model;
  Model reference = open_reference(folder, policy, o.compute);
  const int64_t longest = usable_length(o.max_length, policy), context = reference.config().max_positions;
  if (context < longest)
    throw Error(folder, "expected a context of at least " + std::to_string(longest) + " tokens, got " +
                            std::to_string(context) + ": give --max-length");
  return reference;
}

DpoTask open_task(const DpoOptions& o) {
  Model policy = open_language_model(o.model, o.compute);
  ReferenceLogps reference(open_reference_of(o, policy));
  const MicroBatchLimits limits = o.micro_batch_limits(policy);
  return {std::move(policy),
          load_tokenizer(o.model),
          std::move(reference),
          {dpo_loss_named(o.loss_type), o.beta, o.label_smoothing, o.sft_coefficient},
          limits};
}

ExampleSet open_comparisons(const std::string& path, const DpoTask& task, int64_t max_length) {
  ExampleSet set = open_examples(path, task.policy, task.tokenizer ? &*task.tokenizer : nullptr, max_length,
                                 TooLong::drop, {RowKind::preference, RowKind::ranking});
  if (std::none_of(set.examples.begin(), set.examples.end(), [](const Example& e) { return has_pair(e); }))
    throw Error(path, "expected at least one strictly ordered pair, got ties alone");
  return set;
}

BatchResult learn(const DpoTask& task, const std::vector<const Example*>& batch, const Dropout* dropout) {
  const ComparisonCounts counts = comparison_counts(batch);
  DpoMeasure measure;
  for (const auto& part : micro_batches(batch, task.limits))
    add_comparisons(role_of(task.policy), task.reference, part, counts, task.settings, dropout, measure);
  return {measure.loss, measure.tokens, dpo_metrics(measure, task.settings)};
}

// Of as many rows at once as a step has, or as a micro-batch may have.
MicroBatchLimits limits_without_gradients(const DpoOptions& o, const DpoTask& task) {
  MicroBatchLimits limits = task.limits;
  if (limits.rows == 0) limits.rows = o.batch_size;
  if (limits.tokens == 0) limits.tokens = o.tokens_per_batch;
  return limits;
}

Evaluation evaluate(const DpoTask& task, const ExampleSet& validation, const MicroBatchLimits& limits) {
  at::NoGradGuard no_grad;
  std::vector<const Example*> all;
  for (const Example& example : validation.examples) all.push_back(&example);
  const ComparisonCounts counts = comparison_counts(all);
  DpoMeasure measure;
  for (const auto& part : micro_batches(all, limits))
    add_comparisons(role_of(task.policy), task.reference, part, counts, task.settings, nullptr, measure);
  Json row = {{"validation_loss", measure.loss},
              {"validation_margin", measure.margin / static_cast<double>(measure.pairs)}};
  row.update(validation_accuracy(measure.right, measure.pairs));
  return {measure.loss, row};
}

}  // namespace

DpoOptions::DpoOptions() {
  learning_rate = 1e-6;
}

void DpoOptions::visit(OptionVisitor& v) {
  SupervisedOptions::visit(v);
  v(&reference_model, "reference_model", "The frozen reference; default: the model itself.", input());
  v(&beta, "beta", "How firmly the reference holds: the weight of its log-ratio in the implicit reward.",
    at_least(1e-6));
  v(&loss_type, "loss_type",
    "sigmoid (Rafailov 2023), ipo (Azar 2023, of token means as in TRL) or hinge (SLiC).",
    one_of({"sigmoid", "ipo", "hinge"}));
  v(&label_smoothing, "label_smoothing", "Share of the comparisons expected to be wrong; sigmoid only.",
    within(0, 0.5));
  v(&sft_coefficient, "sft_coefficient",
    "Weight of the next-token loss on the best completions, a mean over their tokens.", at_least(0));
  v(&precompute_reference, "precompute_reference",
    "Ask the reference about all rows before the first step, then hold it no longer: less memory, and less "
    "time over several epochs.");
}

void DpoOptions::check() const {
  SupervisedOptions::check();
  if (select == "reward") throw UsageError("--select", "expected last or loss for dpo");
  if (label_smoothing > 0 && loss_type != "sigmoid")
    throw UsageError("--label-smoothing", "expected --loss-type sigmoid with it, got " + loss_type);
}

void train_dpo(DpoOptions& options) {
  DpoTask dpo = open_task(options);
  const ExampleSet data = open_comparisons(options.data, dpo, options.max_length);
  ExampleSet validation;
  SupervisedTask task{"dpo",
                      &dpo.policy,
                      data.row_tokens(),
                      {options.model, options.data, options.validation, options.reference_model},
                      dpo.limits};
  if (!options.validation.empty()) {
    validation = open_comparisons(options.validation, dpo, options.max_length);
    task.evaluate = [&] { return evaluate(dpo, validation, limits_without_gradients(options, dpo)); };
  }
  if (options.precompute_reference)
    task.prepare = [&](const std::filesystem::path& run) {
      dpo.reference.precompute(run / "reference", {&data, &validation},
                               limits_without_gradients(options, dpo));
    };
  task.learn = [&](const std::vector<int64_t>& rows, const Dropout* dropout) {
    return learn(dpo, pick(data, rows), dropout);
  };
  train_supervised(task, options);
}

}  // namespace keel
