// A decoder block as one node of autograd: the same function as Decoder's statement of it, made of the passes
// of tensors/elementwise and forest_attention, with activations in the format of the products. Nothing is
// recorded between them, so a step keeps what the way back needs and no more.
#pragma once

#include "keel/models/decoder_config.h"
#include "keel/models/dropout.h"
#include "keel/tensors/forest.h"
#include "keel/tensors/precision.h"

namespace keel {

struct Linear {
  Tensor weight, bias;  // (out, in); (out) or undefined
};

struct Block {
  Linear attention_norm, qkv, attention_out, mlp_norm, up, down;
};

/// What all blocks of a pass share.
struct BlockPass {
  DecoderConfig config;
  std::vector<Segment> segments;
  Tensor positions;  // (N) int64
  Tensor cos, sin;   // (max_positions, head_size / 2) float32, or undefined
  Precision precision = Precision::float32;
  std::optional<Dropout> dropout = {};
  /// The rows (R) int64 that are read behind the last block, or undefined: all. The others come out of it as
  /// zeros: their MLP is not computed.
  Tensor needed = {};
  bool recompute = false;
};

/// True where the node can stand for the plain statement: float32 master weights on the CPU.
bool can_fuse(const DecoderConfig& config, const Tensor& embedding);

/// x: (N, hidden) float32; returns (N, hidden) float32. Differentiable in x and the norm's parameters.
Tensor fused_norm(const DecoderConfig& config, const Linear& norm, const Tensor& x);

/// x: (N, hidden) float32; returns (N, hidden) float32. Differentiable in x and the block's parameters.
Tensor fused_block(const std::shared_ptr<const BlockPass>& pass, int64_t layer, const Block& block,
                   const Tensor& x);

}  // namespace keel
