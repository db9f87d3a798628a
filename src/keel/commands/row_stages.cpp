// The commands that turn rows into rows: split.
#include <iostream>

#include "keel/base/error.h"
#include "keel/commands/stage.h"
#include "keel/rows/export.h"
#include "keel/rows/folds.h"

namespace keel {
namespace {

struct SplitOptions : Options {
  std::string data, format = "auto", by, output, held_out;
  int64_t folds = 5, fold = 1, seed = 1;
  bool permute_labels = false;

  void visit(OptionVisitor& v) override {
    v(&data, "data", "The rows to split.", required_input());
    v(&format, "format", "How the file says what its rows are; auto looks at their fields.",
      {.choices = row_format_names()});
    v(&by, "by", "Rows with the same value of this field stay together; default: rows of the same prompt.");
    v(&folds, "folds", "Parts of equal size.", at_least(2));
    v(&fold, "fold", "The part that is held out, from 1.", at_least(1));
    v(&seed, "seed", "Names the split and the permutation.", at_least(0));
    v(&permute_labels, "permute_labels",
      "Turn about half of the judgements to train on around: the control that must learn nothing.");
    v(&output, "output", "Where the rows to train on go.", required_output());
    v(&held_out, "held_out", "Where the part that is held out goes.", required_output());
  }
  void check() const override {
    if (fold > folds)
      throw UsageError("--fold",
                       "expected at most --folds " + std::to_string(folds) + ", got " + std::to_string(fold));
  }
};

void run_split(SplitOptions& o) {
  const RowFile file = read_rows(o.data, row_format(o.format, "--format"));
  const auto seed = static_cast<uint64_t>(o.seed);
  const std::vector<int64_t> folds = folds_of(file, o.folds, o.by, seed);
  std::vector<Row> kept, held_out;
  for (size_t i = 0; i < folds.size(); ++i)
    (folds[i] == o.fold - 1 ? held_out : kept).push_back(file.rows[i]);
  if (o.permute_labels) permute_judgements(kept, seed);
  write_rows(kept, RowFormat::keel, o.output);
  write_rows(held_out, RowFormat::keel, o.held_out);
  std::cout << kept.size() << " rows to train on, " << held_out.size() << " held out";
  for (const auto& [reason, count] : file.refused) std::cout << "; " << count << " left out: " << reason;
  std::cout << "\n";
}

}  // namespace

std::vector<Stage> row_stages() {
  return {
      make_stage("split", "One fold of cross-validation: rows to train on, and rows held out.",
                 "Rows of one prompt (or of one value of `--by`) are never on both sides. The same seed "
                 "gives the same folds, so five runs with `--fold` 1 to 5 hold each row out once.\n\n    "
                 "keel split --data harmless.jsonl.gz --format hh --folds 5 --fold 1 --output train.jsonl "
                 "--held-out test.jsonl",
                 &run_split)};
}

}  // namespace keel
