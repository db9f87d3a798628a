#include "keel/trainers/inputs.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/base/interrupt.h"
#include "keel/base/log.h"
#include "keel/data/batches.h"
#include "keel/models/model_folder.h"
#include "keel/scoring/reward_model.h"
#include "keel/trainers/scorer_options.h"

namespace keel {

std::optional<Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  const bool present =
      std::filesystem::exists(folder / "tokenizer.json") || std::filesystem::exists(folder / "vocab.json");
  return present ? std::optional(Tokenizer::load(folder)) : std::nullopt;
}

Model open_model(const std::filesystem::path& folder, const Compute& compute) {
  const at::Device device = compute.chosen_device();
  Model model = on_device(load_model(folder), device);
  model.precision = choose_precision(compute.precision, model.config().hidden, device);
  return model;
}

Model open_language_model(const std::filesystem::path& folder, const Compute& compute) {
  Model model = open_model(folder, compute);
  if (model.head.kind != HeadKind::language)
    throw Error(folder.string(), "expected a language model (…ForCausalLM), got a reward model");
  return model;
}

Model open_reward_model(const std::filesystem::path& folder, const Compute& compute,
                        const std::vector<std::string>& head_weights) {
  Model model = open_model(folder, compute);
  if (model.head.kind != HeadKind::scalar)
    throw Error(folder.string(),
                "expected a reward model (…ForSequenceClassification), got a language model");
  set_head_weights(model, head_weights);
  check_reward_known(model);
  return model;
}

void check_reward_known(const Model& model) {
  if (!model.head.mix.empty() || model.head.reward_label >= 0) return;
  throw Error(model.folder.string(), "expected one label, or weights of " +
                                         std::to_string(model.head.labels.size()) +
                                         " that make one reward, got none: give --head-weights");
}

Model open_reference(const std::filesystem::path& folder, const Model& policy, const Compute& compute) {
  Model reference = open_language_model(folder, compute);
  const int64_t ours = policy.config().vocabulary, theirs = reference.config().vocabulary;
  if (ours != theirs)
    throw Error(folder.string(), "expected the policy's vocabulary of " + std::to_string(ours) +
                                     " ids in its reference, got " + std::to_string(theirs));
  if (!same_tokenizer(folder, policy.folder))
    throw Error(folder.string(), "expected the policy's tokenizer beside its reference, got another one");
  return frozen(std::move(reference));
}

std::optional<int64_t> end_id(const Model& model, const Tokenizer* tokenizer) {
  if (tokenizer != nullptr && tokenizer->eos_id()) return tokenizer->eos_id();
  const auto ids = end_ids(model);
  return ids.empty() ? std::nullopt : std::optional(ids.front());
}

int64_t usable_length(int64_t max_length, const Model& model) {
  const int64_t context = model.config().max_positions;
  if (max_length > context)
    throw UsageError("--max-length", "expected at most the model's context of " + std::to_string(context) +
                                         ", got " + std::to_string(max_length));
  return max_length == 0 ? context : max_length;
}

namespace {

void check_kinds(const RowFile& file, std::initializer_list<RowKind> accepted) {
  for (const Row& row : file.rows)
    if (std::find(accepted.begin(), accepted.end(), row.kind) == accepted.end())
      throw Error(
          file.path + ":" + std::to_string(row.line),
          std::string("expected another kind of row for this stage, got a ") + row_kind_name(row.kind));
}

ExampleSet encode_and_warn(const RowFile& file, const Model& model, const Tokenizer* tokenizer,
                           const EncodeOptions& options) {
  const ExampleSet set = encode_rows(file, tokenizer, model.config().vocabulary, options);
  if (set.examples.empty())
    throw Error(file.path, std::string("expected at least one row ") +
                               (set.weightless > 0 ? "of a weight above 0 " : "") +
                               "that fits the context of " + std::to_string(options.max_length) +
                               " tokens, got none");
  if (set.truncated > 0)
    log_warning(file.path + ": " + std::to_string(set.truncated) + " rows longer than the context were cut");
  if (set.weightless > 0)
    log_warning(file.path + ": " + std::to_string(set.weightless) + " rows of weight 0 were left out");
  if (set.dropped > 0)
    log_warning(file.path + ": " + std::to_string(set.dropped) +
                " rows longer than the context were left out");
  for (const auto& [reason, count] : file.refused)
    log_warning(file.path + ": " + std::to_string(count) + " rows left out: " + reason);
  return set;
}

}  // namespace

ExampleSet open_examples(const std::string& path, const Model& model, const Tokenizer* tokenizer,
                         int64_t max_length, TooLong too_long, std::initializer_list<RowKind> accepted) {
  const RowFile file = read_rows(path);
  check_kinds(file, accepted);
  const bool judged = std::find(accepted.begin(), accepted.end(), RowKind::preference) != accepted.end();
  return encode_and_warn(file, model, tokenizer,
                         {.max_length = usable_length(max_length, model),
                          .end_id = end_id(model, tokenizer),
                          .too_long = too_long,
                          .judgements = judged});
}

ExampleSet open_prompts(const std::string& path, const Model& model, const Tokenizer* tokenizer,
                        int64_t max_length) {
  const RowFile file = read_rows(path);
  check_kinds(file, {RowKind::prompt, RowKind::completion, RowKind::preference, RowKind::ranking});
  return encode_and_warn(
      file, model, tokenizer,
      {.max_length = usable_length(max_length, model), .too_long = TooLong::drop, .prompts_only = true});
}

std::vector<ScoredSample> scored_samples(const std::vector<Request>& requests,
                                         const std::vector<std::vector<Completion>>& completions,
                                         const Tokenizer* tokenizer) {
  std::vector<ScoredSample> samples;
  for (size_t i = 0; i < requests.size(); ++i)
    for (const Completion& completion : completions[i]) {
      ScoredSample sample{"", "", requests[i].prompt, completion.tokens, completion.finish != Finish::length};
      if (tokenizer != nullptr) {
        sample.prompt_text = tokenizer->decode(sample.prompt_ids);
        sample.completion_text = tokenizer->decode_completion(sample.prompt_ids, sample.completion_ids);
      }
      samples.push_back(std::move(sample));
    }
  return samples;
}

void for_each_logps(const Model& model, const ExampleSet& set, int64_t batch_size, double temperature,
                    const std::function<void(const Tensor& tokens, const Tensor& logps)>& visit) {
  at::NoGradGuard no_grad;
  const auto size = static_cast<int64_t>(set.examples.size());
  const DataOrder order(size, batch_size, 0, false, size);
  for (int64_t step = 0; step * batch_size < size; ++step) {
    const auto batch = pick(set, order.batch(step));
    const LanguageBatch input = language_batch(batch, /*completion_only=*/true);
    const Tensor hidden = forest_hidden(
        model.decoder, input.forest, {.precision = model.precision, .needed = distinct_rows({input.from})});
    const Tensor logp = language_logprobs(role_of(model), hidden, input.from, input.tokens, temperature)
                            .logp.to(at::kCPU, at::kDouble)
                            .contiguous();
    int64_t begin = 0;
    for (const Example* example : batch) {
      const int64_t end = begin + scored_tokens(*example, /*completion_only=*/true);
      visit(input.tokens.slice(0, begin, end), logp.slice(0, begin, end));
      begin = end;
    }
    throw_if_interrupted();
  }
}

std::vector<const Example*> pick(const ExampleSet& set, const std::vector<int64_t>& indices) {
  std::vector<const Example*> picked;
  for (const int64_t index : indices) picked.push_back(&set.examples[static_cast<size_t>(index)]);
  return picked;
}

}  // namespace keel
