// Log-probabilities of whole completions, and the frozen reference's side of them.
#pragma once

#include <filesystem>
#include <map>

#include "keel/data/batches.h"
#include "keel/data/micro_batches.h"
#include "keel/models/model.h"

namespace keel {

/// The sum of each completion's log-probabilities given its prompt: (R) float64 on the model's device, since
/// the differences that are made of such sums are small. Nothing but the completions' rows is projected on
/// the vocabulary.
Tensor completion_logps(const Role& role, const CompletionBatch& batch, const Dropout* dropout = nullptr);

/// Answers for a model that does not change: by the same pass as the policy's, so equal models give equal
/// bits, or from what it said once.
class ReferenceLogps {
 public:
  explicit ReferenceLogps(Model model) : model_(std::move(model)) {}

  /// completion_logps of these examples, whose batch is given; on the host once the model is gone. Without
  /// gradients.
  Tensor operator()(std::span<const Example* const> examples, const CompletionBatch& batch) const;

  /// Asks the model about all examples, within these limits at a time, and lets it go. The answers are kept
  /// in `folder`, where an earlier call's are taken from. The sets must stay where they are. Errors:
  /// [folder/file] answers about others.
  void precompute(const std::filesystem::path& folder, const std::vector<const ExampleSet*>& sets,
                  const MicroBatchLimits& limits);

 private:
  void ask(const std::vector<const Example*>& examples, const MicroBatchLimits& limits);

  std::optional<Model> model_;
  std::map<const Example*, Tensor> known_;  // (K) each, once the model is gone
};

}  // namespace keel
