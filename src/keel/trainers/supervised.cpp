#include "keel/trainers/supervised.h"

#include "keel/data/examples.h"
#include "keel/optimizers/weight_average.h"
#include "keel/statistics/intervals.h"
#include "keel/trainers/memory_plan.h"
#include "keel/trainers/training_run.h"

namespace keel {

Json validation_accuracy(int64_t right, int64_t judged) {
  const Interval interval = wilson(right, judged);
  return {
      {"validation_accuracy", static_cast<double>(right) / static_cast<double>(std::max<int64_t>(1, judged))},
      {"validation_accuracy_low", interval.low},
      {"validation_accuracy_high", interval.high},
      {"validation_pairs", judged}};
}

namespace {

// What the largest of the steps will hold, over the first ten thousand.
int64_t bytes_of_steps(const SupervisedTask& task, const DataOrder& order, int64_t steps,
                       const SupervisedOptions& options) {
  int64_t tokens = 0;
  for (int64_t step = 0; step < std::min<int64_t>(steps, 10'000); ++step) {
    std::vector<int64_t> sizes;
    for (const int64_t row : order.batch(step)) sizes.push_back(task.row_tokens[static_cast<size_t>(row)]);
    tokens = std::max(tokens, largest_micro_batch(sizes, task.limits));
  }
  const bool language = task.model->head.kind == HeadKind::language;
  const int64_t copies = (options.average_weights > 0 ? 1 : 0) + (options.select != "last" ? 1 : 0);
  return pass_bytes(*task.model, {tokens, language ? tokens : 0}) +
         (1 + copies) * gradient_bytes(*task.model);
}

}  // namespace

void train_supervised(const SupervisedTask& task, SupervisedOptions& options) {
  // 1. How many steps, and which rows each one sees.
  const auto seed = static_cast<uint64_t>(options.seed);
  const DataOrder order = options.data_order(task.row_tokens);
  const int64_t steps = options.total_steps(order);
  const Schedule schedule = options.learning_schedule(steps);

  // 2. State: weights, moments, the best weights so far.
  set_trainable(*task.model, true);
  task.model->recompute = options.recompute;
  AdamW optimizer(task.model->parameters(), options.adamw());
  WeightAverage average(task.model->parameters(), options.average_weights);
  Selection selection;
  const auto visit = [&](Archive& archive) {
    optimizer.visit(archive, "adamw.");
    average.visit(archive, "average.");
    selection.visit(archive, *task.model);
  };
  TrainingRun run(task.stage, options, task.inputs, steps, {{"", task.model}}, visit);
  if (run.finished()) return;
  if (task.prepare) task.prepare(run.path());
  run.plan_memory(bytes_of_steps(task, order, steps, options));

  // 3. Loss, gradients, step, log.
  Json last;
  for (int64_t step = run.first_step(); step < steps; ++step) {
    const Dropout dropout{options.dropout, seed, static_cast<uint32_t>(step), {}};
    optimizer.zero_grad();
    const BatchResult result = run.times().measure(
        "gradient", [&] { return task.learn(order.batch(step), options.dropout > 0 ? &dropout : nullptr); });
    const double rate = options.learning_rate * schedule.multiplier(step);
    const double norm = run.times().measure("optimizer", [&] {
      const double before_clipping = optimizer.clip(options.max_grad_norm);
      optimizer.step(rate);
      average.add();
      return before_clipping;
    });
    last = {{"loss", result.loss}};
    last.update(result.metrics);
    last["gradient_norm"] = norm;
    last["learning_rate"] = rate;
    if (task.evaluate && options.evaluates_after(step + 1, steps)) {
      average.exchange();
      const Evaluation evaluation = run.times().measure("evaluation", task.evaluate);
      last.update(evaluation.metrics);
      if (options.select != "last") selection.offer(evaluation.score, step + 1, *task.model);
      average.exchange();
    }
    run.end_step(step, result.tokens, last, "loss " + std::to_string(result.loss).substr(0, 6));
  }

  // 4. The chosen weights: the average, where there is one, of the last step or of the best one.
  average.exchange();
  selection.restore(*task.model);
  if (selection.step > 0) last["selected_step"] = selection.step;
  if (task.conclude) task.conclude(last);
  run.finish(last);
}

}  // namespace keel
