// The loop of the stages that learn from rows (pretrain, sft, reward, dpo): batches in a keyed order, loss,
// step, log, evaluation, the chosen weights. A stage says what a batch's loss is and how it is validated.
#pragma once

#include <filesystem>
#include <functional>

#include "keel/models/model.h"
#include "keel/trainers/training_options.h"

namespace keel {

/// A batch whose gradients were added.
struct BatchResult {
  double loss = 0;
  int64_t tokens = 0;             // processed
  Json metrics = Json::object();  // beside the loss
};

struct Evaluation {
  double score = 0;  // lower is better: what --select chooses by
  Json metrics;
};

struct SupervisedTask {
  std::string stage;
  Model* model = nullptr;
  std::vector<int64_t> row_tokens = {};  // of each row of the data
  std::vector<std::filesystem::path> inputs = {};
  MicroBatchLimits limits = {};
  /// What is to be done once before the first step, or kept in the run's folder from an earlier start.
  std::function<void(const std::filesystem::path& run)> prepare = {};
  /// The loss of these rows, with its backward pass done. `dropout` is null without dropout; it names no
  /// documents yet.
  std::function<BatchResult(const std::vector<int64_t>& rows, const Dropout* dropout)> learn = {};
  std::function<Evaluation()> evaluate = {};         // empty: there are no validation rows
  std::function<void(Json& summary)> conclude = {};  // changes the chosen weights before final/ is written
};

/// The metrics of `right` orders among `judged` ones on validation rows, with Wilson's interval.
Json validation_accuracy(int64_t right, int64_t judged);

/// Trains the task's model and writes its run. A run that is finished is left as it is.
void train_supervised(const SupervisedTask& task, SupervisedOptions& options);

}  // namespace keel
