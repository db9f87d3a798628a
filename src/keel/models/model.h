// A model: a decoder, a head, and where its tokenizer lies. And what a step asks of several models at once.
#pragma once

#include <filesystem>

#include "keel/models/decoder.h"
#include "keel/tensors/linear_logprob.h"

namespace keel {

/// What the last hidden state is projected on: (vocabulary, hidden) for language, (labels, hidden) for
/// scalar.
struct Head {
  HeadKind kind = HeadKind::language;
  Tensor weight;
  double shift = 0;  // added to the reward: its normalisation
  // Of a scalar head: the row whose logit is the reward (the positive class of a classifier), or, where `mix`
  // has a weight for each row, none: the reward is their weighted sum. -1 without a mix: neither is known.
  int64_t reward_label = 0;
  // A classifier is read at a text's last token that is not this one, as transformers does; nothing: at the
  // last.
  std::optional<int64_t> pad_id = {};
  std::vector<double> mix = {};
  std::vector<std::string> labels = {};  // a scalar head's names of its rows
};

struct Model {
  const Family* family = nullptr;
  Json config_json;  // as read, so that what Keel does not use is kept when it writes
  Decoder decoder;
  Head head;
  std::filesystem::path folder;  // where the tokenizer's files are; empty for a model without one
  Precision precision = Precision::float32;
  bool recompute = false;  // PassOptions::recompute of its training

  const DecoderConfig& config() const { return decoder.config(); }
  /// Every tensor that is trained and saved; a tied head is the embedding and not named twice.
  std::vector<Parameter> parameters() const;
  int64_t parameter_count() const;
};

/// Sets requires_grad of every parameter.
void set_trainable(const Model& model, bool trainable);

/// The model for reading alone: no gradients, and the matrices that only bfloat16 products read are held in
/// bfloat16, which takes half the memory and changes no bit of what it computes.
Model frozen(Model model);

/// What plays in a step: policy, value, reference, reward. Roles on one trunk share its pass.
struct Role {
  const Decoder* trunk = nullptr;
  const Head* head = nullptr;
  Precision precision = Precision::float32;
  bool recompute = false;
};

Role role_of(const Model& model);

/// The hidden states (N, hidden) of each role over one forest, which is given on the host; one pass for each
/// distinct trunk. needed: PassOptions::needed, of all roles together.
std::vector<Tensor> forward(const Forest& forest, std::span<const Role> roles, const Tensor& needed = {});

/// Log-probability and entropy of tokens[i] predicted from row from[i]. from, tokens: (S) int64, on the host
/// or on the device of `hidden`, where the results are. known_dlogp: see LogProbOptions.
LogProbs language_logprobs(const Role& role, const Tensor& hidden, const Tensor& from, const Tensor& tokens,
                           double temperature = 1.0, const Tensor& known_dlogp = {});

/// The reward of a scalar head at some rows, its shift included: (S). rows: (S) int64, as above.
Tensor scalar_values(const Role& role, const Tensor& hidden, const Tensor& rows);

/// The logits of all its labels, (S, labels), without the shift.
Tensor label_values(const Role& role, const Tensor& hidden, const Tensor& rows);

/// The vector (hidden) whose product with a hidden state is the reward before the shift.
Tensor reward_direction(const Head& head);

/// Gives each label the same weight in the reward, and all of them the sum 1.
void mix_evenly(Head& head);

/// A copy of `source`'s trunk with a new scalar head of these labels, drawn from N(0, 1 / (hidden + 1))
/// (Ziegler et al. 2019, section 2.1 and its code), and with a padding id (choose_pad_id). Several labels are
/// mixed evenly.
Model with_scalar_head(const Model& source, uint64_t seed,
                       const std::vector<std::string>& labels = {"LABEL_0"});

/// The model with its weights on `device`; where they are there already, the same tensors.
Model on_device(Model model, at::Device device);

/// A deep copy: no tensor is shared.
Model clone_model(const Model& source);

/// A new model with weights drawn from N(0, initializer_range), the residual projections divided by
/// sqrt(2 layers) (Radford et al. 2019, section 2.3). Every element is a function of (seed, parameter,
/// index).
Model new_model(const Family& family, const DecoderConfig& config, HeadKind head, uint64_t seed);

}  // namespace keel
