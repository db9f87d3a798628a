#include "keel/trainers/training_options.h"

#include "keel/base/error.h"
#include "keel/trainers/memory_plan.h"

namespace keel {

void TrainingOptions::visit(OptionVisitor& v) {
  v(&model, "model", "The model folder to start from.", {.required = model_required, .reads = true});
  v(&data, "data", "Rows to train on: JSON lines, JSON or CSV, also gzipped.", required_input());
  v(&output, "output", "The run's folder; the same command goes on with an unfinished one.",
    required_output());
  v(&seed, "seed", "Names every random draw of the run.", at_least(0));
  v(&steps, "steps", "Optimizer steps; 0: as many as --epochs needs.", at_least(0));
  v(&epochs, "epochs", "Passes over the data, when --steps is 0.", at_least(1));
  v(&batch_size, "batch_size",
    "Most rows (for ppo: prompts) of one step; with --tokens-per-batch 0 means no bound.", at_least(0));
  v(&tokens_per_batch, "tokens_per_batch",
    "Most tokens of one step, a shared prompt counted once: it takes the next rows until one more would be "
    "too "
    "many (a longer row is a step of its own). For ppo: of one mini-batch, and as many as that takes. 0: no "
    "bound.",
    at_least(0));
  v(&micro_batch_size, "micro_batch_size",
    "Most rows computed at once; changes nothing but memory. 0: --micro-batch-tokens alone decides.",
    at_least(0));
  v(&micro_batch_tokens, "micro_batch_tokens",
    "Most tokens computed at once, a shared prompt counted once (a longer row is alone); changes nothing but "
    "memory. 0: no bound beside --micro-batch-size; without that, so many that what is kept of them takes a "
    "quarter of the memory of weights, gradients and moments, or 192 MB.",
    at_least(0));
  v(&recompute, "recompute",
    "Keep each block's input alone and compute the block again on the way back: less memory, a third more "
    "time.");
  v(&max_length, "max_length", "Longest row in tokens; 0: the model's context.", at_least(0));
  v(&learning_rate, "learning_rate", "Peak learning rate of AdamW.", at_least(0));
  v(&schedule, "schedule", "How the learning rate falls.", one_of({"constant", "linear", "cosine"}));
  v(&warmup_steps, "warmup_steps", "Steps over which the learning rate rises from 0.", at_least(0));
  v(&final_learning_rate, "final_learning_rate", "Share of the peak at which linear and cosine end.",
    within(0, 1));
  v(&weight_decay, "weight_decay", "Decoupled decay of matrices and embeddings; norms and biases have none.",
    at_least(0));
  v(&beta1, "beta1", "AdamW's decay of the first moment.", within(0, 1));
  v(&beta2, "beta2", "AdamW's decay of the second moment.", within(0, 1));
  v(&epsilon, "epsilon", "AdamW's epsilon.", at_least(0));
  v(&moments, "moments",
    "Number format of AdamW's two moments; bfloat16, rounded stochastically, takes half the memory.",
    one_of({"float32", "bfloat16"}));
  v(&max_grad_norm, "max_grad_norm", "Clip gradients to this global norm; 0: never.", at_least(0));
  compute.visit(v);
  v(&save_every, "save_every", "Steps between checkpoints; 0: none before the end.", at_least(0));
  v(&shuffle, "shuffle", "Visit the data in a keyed random order.");
}

void TrainingOptions::check() const {
  if (batch_size == 0 && tokens_per_batch == 0)
    throw UsageError("--batch-size", "expected at least 1, or 0 with --tokens-per-batch, got 0 without");
  if (beta1 >= 1 || beta2 >= 1) throw UsageError("--beta1, --beta2", "expected numbers below 1");
  compute.check();
  if (moments == "bfloat16")
    compute.check_on_processor("--moments bfloat16", "only its optimizer step rounds stochastically");
}

AdamWOptions TrainingOptions::adamw(uint32_t optimizer) const {
  return {beta1,
          beta2,
          epsilon,
          weight_decay,
          moments == "bfloat16" ? Moments::bfloat16 : Moments::float32,
          static_cast<uint64_t>(seed),
          optimizer};
}

MicroBatchLimits TrainingOptions::micro_batch_limits(const Model& of) const {
  const bool free = micro_batch_size == 0 && micro_batch_tokens == 0;
  return {micro_batch_size, free ? micro_batch_tokens_beside(of) : micro_batch_tokens, of.config().hidden};
}

Schedule TrainingOptions::learning_schedule(int64_t total) const {
  return {schedule_named(schedule), warmup_steps, total, final_learning_rate};
}

DataOrder TrainingOptions::data_order(std::vector<int64_t> row_tokens) const {
  const int64_t limit = steps > 0 ? 0 : epochs * std::ssize(row_tokens);
  return {std::move(row_tokens), batch_bounds(), static_cast<uint64_t>(seed), shuffle, limit};
}

void SupervisedOptions::visit(OptionVisitor& v) {
  TrainingOptions::visit(v);
  v(&dropout, "dropout", "Dropout of the embeddings and of what each block adds to the residual stream.",
    within(0, 0.99));
  v(&average_weights, "average_weights",
    "final/ holds the moving average of the weights with this decay (0.99 spans about 100 steps); 0: the "
    "last ones.",
    within(0, 0.999999));
  v(&validation, "validation", "Held-out rows to evaluate on.", input());
  v(&evaluate_every, "evaluate_every", "Steps between evaluations; 0: at the end only.", at_least(0));
  v(&select, "select",
    "Which weights final/ holds: the last, those of the lowest validation loss, or (sft) of the best reward.",
    one_of({"last", "loss", "reward"}));
}

bool SupervisedOptions::evaluates_after(int64_t steps_done, int64_t all_steps) const {
  return steps_done == all_steps || (evaluate_every > 0 && steps_done % evaluate_every == 0);
}

void SupervisedOptions::check() const {
  TrainingOptions::check();
  if (select != "last" && validation.empty())
    throw UsageError("--select", "expected --validation rows to select by, got none");
}

}  // namespace keel
