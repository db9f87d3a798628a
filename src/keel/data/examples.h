// Typed rows → token ids, under one rule for where a text begins and ends.
//
// Boundaries are "separate", as generation sees them: the prompt's ids with its special tokens, then the
// completion's ids without any and without a dummy prefix space, then the end-of-text id. A row that carries
// ids is taken as it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "keel/rows/rows.h"

namespace keel {

class Tokenizer;

/// One row in ids. A text has no prompt and one completion.
struct Example {
  int64_t document = 0;  // its place in the data; keys dropout
  std::vector<int64_t> prompt = {};
  std::vector<std::vector<int64_t>> completions = {};
  std::vector<int64_t> ranks = {};
  std::optional<bool> label = {};

  int64_t longest() const;
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
};

struct ExampleSet {
  std::vector<Example> examples;
  int64_t truncated = 0, dropped = 0;
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

/// Which examples a step sees: a keyed permutation of the data for each epoch, so a position is one integer
/// and nothing needs saving. `positions` beyond epochs x size (when limited) are left out.
class DataOrder {
 public:
  DataOrder(int64_t size, int64_t batch_size, uint64_t seed, bool shuffle, int64_t limit = 0);
  std::vector<int64_t> batch(int64_t step) const;

 private:
  int64_t size_, batch_size_;
  uint64_t seed_;
  bool shuffle_;
  int64_t limit_;
};

}  // namespace keel
