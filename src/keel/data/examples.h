// Typed rows → token ids, under one rule for where a text begins and ends.
//
// Boundaries are "separate", as generation sees them: the prompt's ids with its special tokens, then the
// completion's ids without any and without a dummy prefix space, then the end-of-text id. A row that carries
// ids is taken as it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "keel/data/judgements.h"
#include "keel/rows/rows.h"

namespace keel {

class Tokenizer;

/// One row in ids. A text has no prompt and one completion.
struct Example {
  int64_t document = 0;  // its place in the data; keys dropout
  int64_t line = 0;      // of its row in the file
  std::vector<int64_t> prompt = {};
  std::vector<std::vector<int64_t>> completions = {};
  std::vector<int64_t> ranks = {};
  std::optional<bool> label = {};
  Judgement judgement = {};  // read where EncodeOptions ask for it

  int64_t longest() const;
  /// Of prompt and completions, the prompt once: what a forest holds of it.
  int64_t tokens() const;
};

/// What happens to a row that is longer than max_length.
enum class TooLong {
  truncate,  // SFT: the end is cut off and gets no end-of-text id
  split,     // pretraining: the document becomes several
  drop,      // comparisons: a cut completion would be judged for what was cut
};

struct EncodeOptions {
  int64_t max_length = 0;
  std::optional<int64_t> end_id = {};  // appended to completions given as text
  TooLong too_long = TooLong::truncate;
  bool prompts_only = false;  // for generation: completions are not looked at, and one token must fit behind
  bool judgements = false;    // weights, ratings, annotators: elsewhere fields of these names mean nothing
};

struct ExampleSet {
  std::vector<Example> examples;
  int64_t truncated = 0, dropped = 0;
  int64_t weightless = 0;  // left out, for their judgement's weight is 0

  /// Example::tokens of each.
  std::vector<int64_t> row_tokens() const;
};

/// `tokenizer` may be null when every row carries ids.
/// Errors: [file:line] a text without a tokenizer, ids beyond the vocabulary, a prompt that leaves no room.
ExampleSet encode_rows(const RowFile& file, const Tokenizer* tokenizer, int64_t vocabulary,
                       const EncodeOptions& options);

/// The ids of one prompt. Errors: [where] none, or one beyond the vocabulary.
std::vector<int64_t> encode_prompt(const Passage& prompt, const Tokenizer* tokenizer, int64_t vocabulary,
                                   const std::string& where);

/// Errors: [where] a prompt of `size` tokens that leaves no room for one more in the context.
void check_room(int64_t size, int64_t context, const std::string& where);

/// What one step may hold. rows 0: as many as there are; tokens 0: no bound.
struct BatchBounds {
  int64_t rows = 0, tokens = 0;
};

/// Which examples a step sees: a keyed permutation of the data for each epoch, so a position is one integer
/// and nothing needs saving. A step takes the next rows of that order until one more would pass a bound; a
/// row of more tokens than the bound is a step of its own. Positions beyond `limit` (0: none) are left out.
///
/// With a bound of tokens a step's first position follows from the steps before it: they are walked over, in
/// time that grows with the positions and without any memory. One thread at a time.
class DataOrder {
 public:
  DataOrder(int64_t size, int64_t batch_size, uint64_t seed, bool shuffle, int64_t limit = 0);
  DataOrder(std::vector<int64_t> row_tokens, BatchBounds bounds, uint64_t seed, bool shuffle,
            int64_t limit = 0);
  /// Rows of the step; none beyond the limit.
  std::vector<int64_t> batch(int64_t step) const;
  /// Steps to the limit, which must be set.
  int64_t steps() const;

 private:
  struct Walk {
    int64_t step = 0, position = 0;
  };
  int64_t first_position(int64_t step) const;
  int64_t row_at(int64_t position) const;

  int64_t size_;
  std::vector<int64_t> row_tokens_;  // read with a bound of tokens alone
  BatchBounds bounds_;
  uint64_t seed_;
  bool shuffle_;
  int64_t limit_;
  mutable Walk next_;  // the step behind the last one that was asked for; found again when another is
};

}  // namespace keel
