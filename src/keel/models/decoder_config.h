// What a decoder is made of. One decoder serves every family; families.cpp fills this from a Hugging Face
// config.
#pragma once

#include <cstdint>
#include <optional>

#include "keel/tensors/activation.h"

namespace keel {

enum class Norm { rms, layer };
enum class Positions { rotary, learned };

/// Llama 3.1's stretching of the low rotary frequencies (Grattafiori et al. 2024, section 3.4.1 and its
/// released code): wavelengths above original_positions / low_factor are divided by factor, those below
/// original_positions / high_factor kept, the ones between blended.
struct RotaryScaling {
  double factor = 1, low_factor = 1, high_factor = 4;
  int64_t original_positions = 8192;
};

struct DecoderConfig {
  int64_t vocabulary = 0, hidden = 0, layers = 0, heads = 0, kv_heads = 0, head_size = 0, mlp = 0;
  int64_t max_positions = 0;
  Norm norm = Norm::rms;
  double norm_epsilon = 1e-6;
  Positions positions = Positions::rotary;
  double rotary_base = 10000;
  std::optional<RotaryScaling> rotary_scaling;
  Activation activation = Activation::silu;
  bool gated_mlp = true;  // down(act(gate x) * up x) instead of down(act(up x))
  bool qkv_bias = false, attention_out_bias = false, mlp_bias = false;
  bool tied_head = false;
  double initializer_range = 0.02;
};

/// Operations of the matrix products of one token in one block (a multiplication and an addition are two):
/// with the weights before its attention's output and behind it, and with the keys and values of `seen`
/// tokens.
struct BlockProducts {
  double qkv, behind, attention;
  double sum() const { return qkv + behind + attention; }
};
BlockProducts block_products(const DecoderConfig& config, double seen);

}  // namespace keel
