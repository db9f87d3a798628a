// Supervised fine-tuning, and pretraining, which is the same loop over whole documents.
#pragma once

#include "keel/trainers/training_options.h"

namespace keel {

struct SftOptions : SupervisedOptions {
  bool completion_only = true;
  std::string reward_model;
  int64_t response_length = 64;

  void visit(OptionVisitor& visitor) override;
  void check() const override;
};

/// Trains on texts, demonstrations (prompt, completion) or both; writes the run to options.output.
void train_sft(SftOptions& options);

/// What a fresh model looks like.
struct PretrainOptions : SupervisedOptions {
  std::string tokenizer, family = "llama";
  int64_t hidden = 128, layers = 2, heads = 4, kv_heads = 0, mlp = 0, context = 256;
  bool tied_head = true;

  PretrainOptions();
  void visit(OptionVisitor& visitor) override;
  void check() const override;
};

/// Trains a new model (or goes on with --model) on whole documents with the tokenizer of a folder.
void train_pretrain(PretrainOptions& options);

}  // namespace keel
