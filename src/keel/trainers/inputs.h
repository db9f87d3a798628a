// How trainers open what they are given: a model with its precision and tokenizer, and rows as examples.
#pragma once

#include "keel/data/examples.h"
#include "keel/models/model.h"
#include "keel/rollout/sampler.h"
#include "keel/scoring/scorer.h"
#include "keel/tokenizer/tokenizer.h"
#include "keel/trainers/compute.h"

namespace keel {

/// The tokenizer of a model folder; nothing when the folder has none.
std::optional<Tokenizer> load_tokenizer(const std::filesystem::path& folder);

/// load_model onto the device, with the precision chosen by name.
Model open_model(const std::filesystem::path& folder, const Compute& compute);

/// The same for a model of one kind. Errors: [folder] the other kind; a head of several labels of which none
/// is known to be the reward, as check_reward_known. head_weights: see set_head_weights.
Model open_language_model(const std::filesystem::path& folder, const Compute& compute);
Model open_reward_model(const std::filesystem::path& folder, const Compute& compute,
                        const std::vector<std::string>& head_weights = {});
void check_reward_known(const Model& model);

/// A frozen reference for a policy: a language model with the same ids. Errors: [folder] another kind,
/// vocabulary or tokenizer.
Model open_reference(const std::filesystem::path& folder, const Model& policy, const Compute& compute);

/// The id that ends a text: the tokenizer's, else the config's.
std::optional<int64_t> end_id(const Model& model, const Tokenizer* tokenizer);

/// max_length, or the context when it is 0. Errors: UsageError when it is longer than the context.
int64_t usable_length(int64_t max_length, const Model& model);

/// Rows of a file as examples of this model; without a tokenizer they carry ids. Where preferences are
/// accepted, judgements are read, too (data/judgements.h), and rows of weight 0 are left out. Warns of rows
/// cut or left out. Errors: [file] no rows, or a row of a kind that `accepted` does not name.
ExampleSet open_examples(const std::string& path, const Model& model, const Tokenizer* tokenizer,
                         int64_t max_length, TooLong too_long, std::initializer_list<RowKind> accepted);

/// The prompts of a file, for generation: other fields of its rows are not looked at.
/// Errors: as open_examples, and [file] no prompt that leaves room for one more token.
ExampleSet open_prompts(const std::string& path, const Model& model, const Tokenizer* tokenizer,
                        int64_t max_length);

/// Completions as scorers see them, request by request, sample by sample. Texts only when there is a
/// tokenizer.
std::vector<ScoredSample> scored_samples(const std::vector<Request>& requests,
                                         const std::vector<std::vector<Completion>>& completions,
                                         const Tokenizer* tokenizer);

/// Log-probabilities of each example's scored tokens (its completion's; a text's behind its first), in order:
/// visit(tokens, logps), both (S), int64 and float64 on the CPU. logp: of softmax(logits / temperature).
/// Between batches of `batch_size` examples a stop is heard. Without gradients.
void for_each_logps(const Model& model, const ExampleSet& set, int64_t batch_size, double temperature,
                    const std::function<void(const Tensor& tokens, const Tensor& logps)>& visit);

/// Pointers to some examples.
std::vector<const Example*> pick(const ExampleSet& set, const std::vector<int64_t>& indices);

}  // namespace keel
