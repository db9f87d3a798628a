// How much memory a training run will hold at its worst moment, said before it begins: a run that cannot fit
// ends with advice at once, and not hours later by the kernel's hand.
//
// The plan adds up what the fused pass keeps (models/fused_block), the head's gradients
// (tensors/linear_logprob), and gradients. tests/cli/test_memory.py holds it within 15 % of what was
// measured. It is of the processor's memory: what the plain pass keeps on another device is more, and a run
// there is not planned.
#pragma once

#include "keel/data/micro_batches.h"
#include "keel/models/model.h"
#include "keel/optimizers/adamw.h"

namespace keel {

/// The largest pass with gradients: a micro-batch.
struct PassSize {
  int64_t tokens = 0;  // of its forest
  int64_t read = 0;    // its rows that the head reads: the last block's MLP and a language head see no others
};

/// The largest micro-batch of a step whose rows have these tokens: micro-batches are balanced, so it is the
/// mean of as many as the limits ask for, or the longest row.
int64_t largest_micro_batch(const std::vector<int64_t>& row_tokens, const MicroBatchLimits& limits);

/// Bytes that one pass forward and back holds at most: activations, converted weights, the gradients of one
/// block's inside, and the head's chunk. `recompute` as in PassOptions.
int64_t pass_bytes(const Model& model, PassSize size);

/// So many tokens that what a pass keeps of them takes a quarter of the memory of the model's weights,
/// gradients and moments in float32, but at least 192 MB: measured on SFT m30 (1,280 tokens instead of
/// 4,600), it costs 4 to 10 % of the time and takes 0.87 GB instead of 1.44.
int64_t micro_batch_tokens_beside(const Model& model);

/// Bytes of the gradients. Moments are resident once the optimizer stands.
int64_t gradient_bytes(const Model& model);

/// Bytes of a pass without gradients over so many tokens.
int64_t scoring_bytes(const Model& model, int64_t tokens);

/// Bytes of the sampler's packed weights and of its cache for so many positions.
int64_t sampler_bytes(const Model& model, int64_t positions);

/// The peak of the run: what is resident now, `more` and what libtorch's own buffers take. Errors: [memory]
/// when it does not fit what the machine has left, with the advice that helps.
int64_t plan_memory(int64_t more);

}  // namespace keel
