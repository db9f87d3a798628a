// Trainers that may be given a feedback store where they take rows: `keel sft --data feedback.db`.
//
// What the store held is frozen beside the run, as <output>.rows.jsonl, before the training starts; the run
// reads that, and reads it again when it goes on. So a run is made from rows that do not change, while people
// go on judging.
#pragma once

#include <string>
#include <vector>

#include "keel/feedback/training_rows.h"
#include "keel/trainers/training_options.h"

namespace keel {

/// Which of a store's judgements a trainer reads. Options for data that is a file are refused beside these.
struct StoreRows {
  std::string judges = "human";
  std::vector<std::string> held_out_annotators;
  std::string weigh = "none", targets = "none";
  double most_hostile = 0.75;
  bool margins = false;

  void visit(OptionVisitor& v);
  /// Puts the frozen rows in the place of options.data when that is a store, and those of held-out annotators
  /// in the place of options.validation. Errors: UsageError held-out annotators of data that is no store, or
  /// beside --validation; Error a store without such judgements.
  void freeze(SupervisedOptions& options, feedback::Wanted wanted) const;
};

/// A trainer's options, and which of a store's judgements it reads.
template <class TrainerOptions>
struct WithStore : TrainerOptions {
  StoreRows store_rows;
  void visit(OptionVisitor& v) override {
    TrainerOptions::visit(v);
    store_rows.visit(v);
  }
};

}  // namespace keel
