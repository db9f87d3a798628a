// Hugging Face model folders, in and out: config.json, model.safetensors (or shards with an index), and the
// tokenizer's files, which are copied as they are.
#pragma once

#include "keel/models/model.h"

namespace keel {

/// Reads a model folder. Weights are float32 (float64 on request); the head follows from "architectures", or
/// from the tensors when it is missing. A tied head may be stored under either name, or both. Errors:
/// [folder/file] what is missing, of another shape or dtype, or not finite. Pickle files are never read.
Model load_model(const std::filesystem::path& folder, at::ScalarType type = at::kFloat);

/// A new trunk of the architecture that a folder's config.json names, with the tokenizer beside it and
/// without a head. No weight is read; there need be none. Errors: [folder/file] as load_model's of
/// config.json.
Model new_model_like(const std::filesystem::path& folder, uint64_t seed);

/// Writes a folder that transformers loads with equal logits and without a warning. `folder` must exist; the
/// caller makes the whole appear at once (AtomicFolder).
void save_model(const Model& model, const std::filesystem::path& folder);

/// The id that pads batches of texts for a classifier, and at which none may be read: the config's
/// pad_token_id, where that also ends a text the id that begins one, where that is the same too the
/// end-of-text id itself: then the reward is read before it.
int64_t choose_pad_id(const Model& model);

/// The token ids of config.json and generation_config.json that end a text; empty when neither names one.
std::vector<int64_t> end_ids(const Model& model);

}  // namespace keel
