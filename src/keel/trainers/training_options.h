// The options that every trainer has, declared once.
#pragma once

#include "keel/data/examples.h"
#include "keel/data/micro_batches.h"
#include "keel/models/model.h"
#include "keel/optimizers/adamw.h"
#include "keel/optimizers/schedule.h"
#include "keel/trainers/compute.h"

namespace keel {

struct TrainingOptions : Options {
  std::string model, data, output;
  int64_t seed = 1;
  int64_t steps = 0, epochs = 1, batch_size = 16, tokens_per_batch = 0, micro_batch_size = 0,
          micro_batch_tokens = 0, max_length = 0;
  double learning_rate = 1e-4, weight_decay = 0.0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double max_grad_norm = 1.0, final_learning_rate = 0.0;
  std::string schedule = "cosine", moments = "float32";
  Compute compute;
  int64_t warmup_steps = 0, save_every = 100;
  bool shuffle = true, recompute = false;
  bool model_required = true;  // not an option: pretraining may start from nothing

  void visit(OptionVisitor& visitor) override;
  void check() const override;

  /// `optimizer`: see AdamWOptions.
  AdamWOptions adamw(uint32_t optimizer = 0) const;
  BatchBounds batch_bounds() const { return {batch_size, tokens_per_batch}; }
  /// What is computed at once when this model learns. Without bounds of the user's own: as many tokens as
  /// micro_batch_tokens_beside (trainers/memory_plan) says.
  MicroBatchLimits micro_batch_limits(const Model& of) const;
  Schedule learning_schedule(int64_t total_steps) const;
  /// The order in which rows of these sizes are seen, up to the end of --epochs when --steps is 0.
  DataOrder data_order(std::vector<int64_t> row_tokens) const;
  /// --steps, or as many as that order has.
  int64_t total_steps(const DataOrder& order) const { return steps > 0 ? steps : order.steps(); }
};

/// Dropout and model selection: what the supervised trainers (pretrain, sft, reward, dpo) add.
struct SupervisedOptions : TrainingOptions {
  double dropout = 0.0, average_weights = 0.0;
  std::string validation;
  int64_t evaluate_every = 0;
  std::string select = "last";

  /// Whether the validation rows are looked at after this many steps.
  bool evaluates_after(int64_t steps_done, int64_t all_steps) const;
  void visit(OptionVisitor& visitor) override;
  void check() const override;
};

}  // namespace keel
