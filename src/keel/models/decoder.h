// The one decoder of all families: a stack of pre-norm blocks, written against a small set of tensor
// operations. Training and decoding run this same code with two implementations of Attend: over a forest, and
// over a cache.
#pragma once

#include "keel/models/decoder_config.h"
#include "keel/models/dropout.h"
#include "keel/models/families.h"
#include "keel/models/fused_block.h"
#include "keel/tensors/parameter.h"
#include "keel/tensors/precision.h"
#include "keel/tensors/varlen_attention.h"

namespace keel {

/// Attention as a block sees it. q: (N, heads, d), k and v: (N, kv_heads, d), rotated; returns (N, heads, d).
struct Attend {
  virtual ~Attend() = default;
  virtual Tensor operator()(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v) = 0;
};

/// How a pass over a forest is made.
struct PassOptions {
  Precision precision = Precision::float32;
  const Dropout* dropout = nullptr;
  /// The rows that the caller reads, distinct and in order (distinct_rows); what the others hold is not
  /// defined. Undefined: all. A hint: only the fused blocks do less for it.
  Tensor needed = {};
  /// A block keeps its input alone and is computed again on the way back.
  bool recompute = false;
};

class Decoder {
 public:
  /// Parameters in the order of parameter_specs(); the head, when there is one, is not the decoder's.
  Decoder(DecoderConfig config, std::vector<Parameter> parameters);

  const DecoderConfig& config() const { return config_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const Tensor& embedding() const { return parameters_.front().value; }
  // The parts, for forms of this computation that are faster somewhere (fused_block, rollout/cpu_engine).
  const std::vector<Block>& blocks() const { return blocks_; }
  const Linear& norm() const { return norm_; }
  const Tensor& learned_positions() const {
    return learned_positions_;
  }                                               // (max_positions, hidden) or undefined
  const Tensor& cosines() const { return cos_; }  // (max_positions, head_size / 2) or undefined
  const Tensor& sines() const { return sin_; }

  at::Device device() const { return embedding().device(); }

  /// tokens, positions: (N) int64 on the decoder's device, and within what check_inputs allows. Returns the
  /// normed last hidden states, (N, hidden). Without dropout, nothing in it waits for the host.
  Tensor forward(const Tensor& tokens, const Tensor& positions, const std::shared_ptr<Attend>& attend,
                 const PassOptions& options) const;

  /// The same over a whole forest, a node of autograd a block (fused_block.h).
  Tensor forward_fused(const Forest& forest, const PassOptions& options) const;

  /// For what the caller still has on the host. Errors: std::invalid_argument for a position beyond the
  /// context or a token beyond the vocabulary.
  void check_inputs(const Tensor& tokens, const Tensor& positions) const;

 private:
  struct Pass;  // what all blocks of forward() share
  Linear take(const std::string& name) const;
  Tensor normalize(const Tensor& x, const Linear& norm) const;
  Tensor block(const Pass& pass, int64_t layer, const Tensor& x) const;
  Tensor attention(const Pass& pass, int64_t layer, const Tensor& x) const;
  Tensor mlp(int64_t layer, const Tensor& x, Precision precision) const;
  Tensor rotate(const Tensor& x, const Tensor& positions) const;
  Tensor embed(const Tensor& tokens, const Tensor& positions) const;

  DecoderConfig config_;
  std::vector<Parameter> parameters_;
  std::vector<Block> blocks_;
  Linear norm_;
  Tensor learned_positions_;  // (max_positions, hidden) or undefined
  Tensor cos_, sin_;          // (max_positions, head_size / 2) or undefined
};

/// Attention over a forest, for training and scoring. In bfloat16 where the device has a kernel for it.
class ForestAttend : public Attend {
 public:
  ForestAttend(std::vector<Segment> segments, int64_t head_size, Precision precision);
  Tensor operator()(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v) override;

 private:
  std::vector<Segment> segments_;
  double scale_;
  Precision precision_;
  std::shared_ptr<const AttentionRounds> rounds_;  // made by the first layer that needs them
};

/// forward() over a whole forest, which is given on the host: (N, hidden) on the decoder's device. Its
/// products are counted (base/products.h), and those of the way back with them. Errors: as check_inputs.
Tensor forest_hidden(const Decoder& decoder, const Forest& forest, const PassOptions& options);

}  // namespace keel
