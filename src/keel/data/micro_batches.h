// A batch cut into micro-batches: what is computed at once, within bounds of rows and tokens, balanced by
// cost.
//
// Cost is counted in tokens. A decoder of width H has about 12 H² weights a layer, so a token costs 24 H²
// operations; attention costs 4 H for each pair of a query and a key that it sees, forward as backward in the
// same ratio. So a pair costs 1 / (6 H) tokens. The head is left out: it reads scored rows alone.
//
// Filling: longest processing time first (Graham 1969, "Bounds on multiprocessing timing anomalies"): units
// by falling cost, each into the cheapest micro-batch that has room. Losses weigh their elements by the
// counts of the whole batch, so a cut changes no result beyond the rounding of its sums.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace keel {

struct Example;
struct Episode;

/// A row as a forest holds it: a prompt, and the branches that continue it.
struct RowShape {
  int64_t prompt = 0;                  // tokens; 0: none
  std::vector<int64_t> branches = {};  // tokens of each
  // The prompt is that of the row before it: a forest that holds both, holds it once.
  bool shares_prompt = false;
};

RowShape shape_of(const Example& example);
/// Neighbours with one prompt share it, as in episode_batch.
std::vector<RowShape> shapes_of(std::span<const Episode* const> episodes);

/// Tokens of the forest of these rows, shared prompts counted once.
int64_t forest_tokens(std::span<const RowShape> rows);

/// What a micro-batch may hold (0: no bound), and the model's width, by which attention is weighed (0: not at
/// all).
struct MicroBatchLimits {
  int64_t rows = 0, tokens = 0, width = 0;
};

/// The rows of each micro-batch, rising; the micro-batches in the order of their first rows. A row of more
/// tokens than the limit is alone. Rows that share a prompt stay together where they fit. What fits one
/// micro-batch is one.
std::vector<std::vector<int64_t>> micro_batches(std::span<const RowShape> rows,
                                                const MicroBatchLimits& limits);
std::vector<std::vector<const Example*>> micro_batches(std::span<const Example* const> batch,
                                                       const MicroBatchLimits& limits);

}  // namespace keel
