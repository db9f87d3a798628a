// Direct preference optimisation: a policy learns from comparisons without a reward model.
#pragma once

#include "keel/trainers/training_options.h"

namespace keel {

struct DpoOptions : SupervisedOptions {
  std::string reference_model, loss_type = "sigmoid";
  double beta = 0.1, label_smoothing = 0, sft_coefficient = 0;
  bool precompute_reference = false;

  DpoOptions();
  void visit(OptionVisitor& visitor) override;
  void check() const override;
};

/// Trains a language model on preferences and rankings; writes the run to options.output.
void train_dpo(DpoOptions& options);

}  // namespace keel
