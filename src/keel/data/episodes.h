// Finished rollouts as training data: prompts as roots, their samples as children.
#pragma once

#include "keel/tensors/forest.h"

namespace keel {

/// One sampled response and what was thought of it.
struct Episode {
  std::vector<int64_t> prompt, response;  // the response holds its end-of-text id when finished
  bool finished = false;                  // false: cut by the budget
  double score = 0;                       // what credit is given for, penalties included
};

/// Episodes packed into a forest; neighbours with one prompt share it. A *token* is an action and is
/// predicted from the row before it; a *state* is a row where a value is read: one before each token, and,
/// where `after_end` says so, one more after the last token (TRL's place after EOS).
struct EpisodeBatch {
  Forest forest;
  Tensor from, tokens;                 // (N) int64
  std::vector<int64_t> offsets;        // (B + 1) into the N tokens
  Tensor state_rows;                   // (M) int64: rows of the forest
  std::vector<int64_t> state_offsets;  // (B + 1) into the M states
  Tensor token_states;                 // (N) int64: each token's state among the M
};

EpisodeBatch episode_batch(std::span<const Episode* const> episodes,
                           const std::function<bool(const Episode&)>& after_end = {});

/// The members of ranges [offsets[i], offsets[i+1]) for some i, in order: (sum of sizes) int64.
Tensor range_indices(const std::vector<int64_t>& offsets, std::span<const int64_t> chosen);

}  // namespace keel
