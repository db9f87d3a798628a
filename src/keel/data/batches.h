// Examples → forests with scored tokens, comparisons and weights. Weights come from the counts of the whole
// optimizer batch, so the micro-batches' losses add up to the batch's, however it was split.
#pragma once

#include "keel/data/examples.h"
#include "keel/tensors/forest.h"

namespace keel {

/// A forest in which some tokens are scored: token tokens[i] is predicted from row from[i].
struct LanguageBatch {
  Forest forest;
  Tensor from, tokens;             // (S) int64
  std::vector<int64_t> documents;  // (N) for dropout
};

/// Every example is one segment. With `completion_only` the prompt's tokens are not scored; a text's first
/// token never is.
LanguageBatch language_batch(std::span<const Example* const> examples, bool completion_only);

/// Scored tokens of one example under the same rule.
int64_t scored_tokens(const Example& example, bool completion_only);

/// Completions to be judged: the prompt a root, its completions its children, so the prompt is computed once.
struct JudgedBatch {
  Forest forest;
  Tensor last_rows;                // (R) int64: where each completion is read, example by example
  std::vector<int64_t> first_row;  // (R): the row of its first token, or the last one when that lies before
  std::vector<int64_t> first;      // (examples + 1): where each example's completions begin among the R
  std::vector<int64_t> documents;  // (N)
};

/// A text is read at its last token that is not `pad` (at its first one if all are), as transformers'
/// classifiers do; without `pad` at its last token.
JudgedBatch judged_batch(std::span<const Example* const> examples, std::optional<int64_t> pad = {});

/// Every token of the completions, up to where each is read.
struct TokenRows {
  Tensor row, completion;  // (T) int64: a row of the forest, and whose it is among the R
  Tensor weight;           // (T) float64: grows evenly from first to last token; sums to 1 in each
};
TokenRows token_rows(const JudgedBatch& judged);

/// A judged batch in which every token of the completions is scored: tokens[i], of completion[i] among the R,
/// is predicted from row from[i], a completion's first one from its prompt's last row. Without a prompt the
/// first one is not scored.
struct CompletionBatch : JudgedBatch {
  Tensor from, tokens, completion;  // (S) int64
};
CompletionBatch completion_batch(std::span<const Example* const> examples);

/// What becomes of completions that tie.
enum class Ties {
  drop,  // no pair
  half,  // a pair in both orders, each with half its weight: cross-entropy with target 1/2
};

/// The pairs of one prompt's K ranked completions, as indices 0 .. K-1 (ranks: 1 is best, equal numbers tie).
struct RankedPairs {
  std::vector<int64_t> better, worse;
  std::vector<float> share;  // of its pair: 1, or 1/2 for each order of a tied one
  int64_t count = 0;         // a tied pair counts once
};
RankedPairs ranked_pairs(std::span<const int64_t> ranks, Ties ties = Ties::drop);

/// How rankings become pairs. margin_scale m: the better completion is to lead by m times the difference of
/// the two scores (Touvron et al. 2023, equation 2, whose margin is a function of the stated preference).
struct PairRules {
  Ties ties = Ties::drop;
  double margin_scale = 0;
};

/// The pairs of a batch's rankings as indices among its R completions. A ranking is one element: its pairs
/// share its weight evenly.
struct ComparisonBatch {
  Tensor better, worse;  // (P) int64
  Tensor weight;         // (P) float32: share * row's weight / pairs of the prompt / whole
  Tensor margin;         // (P) float64; undefined without a margin_scale
  Tensor strict;         // (P) bool: not an order of a tie
};

/// `whole`: pair_weight of the optimizer batch.
ComparisonBatch comparison_batch(std::span<const Example* const> examples, const JudgedBatch& judged,
                                 double whole, const PairRules& rules = {});

/// The summed weights of the rankings that give a pair: their number, where all count 1.
double pair_weight(std::span<const Example* const> examples, Ties ties = Ties::drop);

bool has_pair(const Example& example, Ties ties = Ties::drop);

}  // namespace keel
