#include "keel/scoring/reward_model.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/data/batches.h"

namespace keel {
namespace {

constexpr int64_t kTokensAtOnce = 16384;  // bounds the memory of a scoring pass

std::string tokenizer_hash(const std::filesystem::path& folder) {
  for (const char* name : {"tokenizer.json", "vocab.json"})
    if (!folder.empty() && std::filesystem::exists(folder / name)) return sha256_of_file(folder / name);
  return "";
}

}  // namespace

bool same_tokenizer(const std::filesystem::path& a, const std::filesystem::path& b) {
  return tokenizer_hash(a) == tokenizer_hash(b);
}

RewardModel::RewardModel(Model model, const std::filesystem::path& policy_folder)
    : model_(std::move(model)),
      shares_tokenizer_(!policy_folder.empty() && same_tokenizer(model_.folder, policy_folder)) {
  if (shares_tokenizer_) return;
  if (tokenizer_hash(model_.folder).empty())
    throw Error(model_.folder.string(),
                "expected a tokenizer beside a reward model that reads texts, got none");
  tokenizer_ = Tokenizer::load(model_.folder);
}

Example RewardModel::example_of(const ScoredSample& sample) const {
  Example example;
  example.prompt = shares_tokenizer_ ? sample.prompt_ids : tokenizer_->encode(sample.prompt_text);
  std::vector<int64_t> ids =
      shares_tokenizer_ ? sample.completion_ids : tokenizer_->encode_completion(sample.completion_text);
  if (!shares_tokenizer_ && sample.finished && tokenizer_->eos_id()) ids.push_back(*tokenizer_->eos_id());
  if (ids.empty()) ids.push_back(tokenizer_->eos_id().value_or(0));  // an empty text is still judged
  const int64_t room = model_.config().max_positions - static_cast<int64_t>(example.prompt.size());
  if (room < 1)
    throw Error("reward model", "expected prompts shorter than its context of " +
                                    std::to_string(model_.config().max_positions) + " tokens, got one of " +
                                    std::to_string(example.prompt.size()));
  ids.resize(std::min(ids.size(), static_cast<size_t>(room)));
  example.completions.push_back(std::move(ids));
  return example;
}

// Neighbours with one prompt become one example, so the prompt is computed once.
void RewardModel::score(std::span<const ScoredSample> samples, std::span<Score> scores) {
  std::vector<Example> examples;
  for (const ScoredSample& sample : samples) {
    Example example = example_of(sample);
    if (!examples.empty() && examples.back().prompt == example.prompt)
      examples.back().completions.push_back(std::move(example.completions.front()));
    else
      examples.push_back(std::move(example));
  }
  std::vector<const Example*> pointers;
  for (const Example& example : examples) pointers.push_back(&example);
  const std::vector<Score> read = score_examples(model_, pointers);
  std::copy(read.begin(), read.end(), scores.begin());
}

namespace {

// The logits of each label go into the parts where the reward is made of several.
void add_scores(const Model& model, const Tensor& hidden, const Tensor& rows, std::vector<Score>& scores) {
  const auto read = [](const Tensor& values) { return values.to(at::kCPU, at::kDouble).contiguous(); };
  const Tensor rewards = read(scalar_values(role_of(model), hidden, rows));
  const Tensor labels = model.head.mix.empty() ? Tensor() : read(label_values(role_of(model), hidden, rows));
  for (int64_t i = 0; i < rewards.numel(); ++i) {
    scores.push_back({.reward = rewards.const_data_ptr<double>()[i]});
    if (!labels.defined()) continue;
    const double* row = labels.const_data_ptr<double>() + i * labels.size(1);
    scores.back().parts.assign(row, row + labels.size(1));
  }
}

}  // namespace

std::vector<Score> score_examples(const Model& model, std::span<const Example* const> examples,
                                  const std::function<void(int64_t)>& progress) {
  at::NoGradGuard no_grad;
  std::vector<Score> scores;
  for (size_t begin = 0; begin < examples.size();) {
    size_t end = begin;
    for (int64_t tokens = 0; end < examples.size() && (end == begin || tokens < kTokensAtOnce); ++end)
      tokens += examples[end]->longest() * static_cast<int64_t>(examples[end]->completions.size());
    const JudgedBatch batch = judged_batch(examples.subspan(begin, end - begin), model.head.pad_id);
    const Role role = role_of(model);
    const Tensor hidden = forest_hidden(
        *role.trunk, batch.forest, {.precision = role.precision, .needed = distinct_rows({batch.last_rows})});
    add_scores(model, hidden, batch.last_rows, scores);
    begin = end;
    if (progress) progress(static_cast<int64_t>(end));
  }
  return scores;
}

}  // namespace keel
