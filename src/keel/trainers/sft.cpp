#include "keel/trainers/sft.h"

#include <algorithm>
#include <cmath>

#include "keel/algorithms/next_token.h"
#include "keel/base/error.h"
#include "keel/data/batches.h"
#include "keel/data/micro_batches.h"
#include "keel/models/model_folder.h"
#include "keel/rollout/sampler.h"
#include "keel/scoring/reward_model.h"
#include "keel/trainers/inputs.h"
#include "keel/trainers/supervised.h"

namespace keel {
namespace {

// One loop serves both stages; they differ in what is scored and in how long rows are treated.
struct LanguageTask {
  std::string stage;
  Model model;
  std::optional<Tokenizer> tokenizer;
  TooLong too_long;
  bool completion_only;
  MicroBatchLimits limits;
  std::function<double(const Model&)> selection_score = {};  // lower is better; empty: the validation loss
};

struct BatchMeasure {
  double loss = 0;
  int64_t scored = 0, tokens = 0;
};

int64_t count_scored(std::span<const Example* const> batch, bool completion_only) {
  int64_t count = 0;
  for (const Example* example : batch) count += scored_tokens(*example, completion_only);
  return count;
}

// The token mean over the whole batch, micro-batch by micro-batch; backward() when the weights are trained.
BatchMeasure batch_loss(const LanguageTask& task, const std::vector<const Example*>& batch,
                        const Dropout* keyed) {
  BatchMeasure measured{0, count_scored(batch, task.completion_only), 0};
  const Role role = role_of(task.model);
  for (const auto& piece : micro_batches(batch, task.limits)) {
    LanguageBatch input = language_batch(piece, task.completion_only);
    std::optional<Dropout> dropout;
    if (keyed != nullptr)
      dropout = Dropout{keyed->rate, keyed->seed, keyed->step, std::move(input.documents)};
    const Tensor hidden = forest_hidden(
        *role.trunk, input.forest,
        {role.precision, dropout ? &*dropout : nullptr, distinct_rows({input.from}), role.recompute});
    const Tensor weight = at::full({input.from.size(0)}, 1.0 / static_cast<double>(measured.scored),
                                   hidden.options().requires_grad(false));
    const Tensor logp = language_logprobs(role, hidden, input.from, input.tokens, 1.0, -weight).logp;
    const Tensor loss = next_token_loss(logp, weight);
    if (loss.requires_grad()) loss.backward();
    measured.loss += loss.item().toDouble();
    measured.tokens += input.forest.size();
  }
  return measured;
}

// Token mean over all validation rows.
double validation_loss(const LanguageTask& task, const ExampleSet& set, BatchBounds bounds) {
  at::NoGradGuard no_grad;
  double sum = 0;
  int64_t scored = 0;
  const DataOrder order(set.row_tokens(), bounds, 0, false, std::ssize(set.examples));
  for (int64_t step = 0;; ++step) {
    const auto batch = pick(set, order.batch(step));
    if (batch.empty()) break;
    const BatchMeasure measured = batch_loss(task, batch, nullptr);
    sum += measured.loss * static_cast<double>(measured.scored);
    scored += measured.scored;
  }
  return sum / static_cast<double>(scored);
}

ExampleSet open_language(const std::string& path, const LanguageTask& task, int64_t max_length) {
  ExampleSet set = open_examples(path, task.model, task.tokenizer ? &*task.tokenizer : nullptr, max_length,
                                 task.too_long, {RowKind::text, RowKind::completion});
  const auto predicts = [&](const Example& e) { return scored_tokens(e, task.completion_only) > 0; };
  if (std::none_of(set.examples.begin(), set.examples.end(), predicts))
    throw Error(path, "expected rows of at least two tokens, got none: one token predicts nothing");
  return set;
}

Evaluation evaluate(const LanguageTask& task, const ExampleSet& validation, BatchBounds bounds) {
  const double loss = validation_loss(task, validation, bounds);
  Evaluation result{loss, {{"validation_loss", loss}, {"validation_perplexity", std::exp(loss)}}};
  if (task.selection_score) {
    result.score = task.selection_score(task.model);
    result.metrics["validation_reward"] = -result.score;
  }
  return result;
}

void train(LanguageTask language, SupervisedOptions& options,
           const std::vector<std::filesystem::path>& inputs) {
  language.limits = options.micro_batch_limits(language.model);
  const ExampleSet data = open_language(options.data, language, options.max_length);
  ExampleSet validation;
  SupervisedTask task{language.stage, &language.model, data.row_tokens(), inputs, language.limits};
  task.learn = [&](const std::vector<int64_t>& rows, const Dropout* dropout) {
    const BatchMeasure measured = batch_loss(language, pick(data, rows), dropout);
    return BatchResult{measured.loss, measured.tokens};
  };
  if (!options.validation.empty()) {
    validation = open_language(options.validation, language, options.max_length);
    task.evaluate = [&] { return evaluate(language, validation, options.batch_bounds()); };
  }
  train_supervised(task, options);
}

// The mean score that a reward model gives to one sample for each validation prompt: what InstructGPT chose
// its fine-tuned model by (Ouyang et al. 2022, section 3.5). Sampled with fixed keys, so evaluations compare.
double mean_reward(const Model& model, const Tokenizer* tokenizer, const ExampleSet& validation,
                   RewardModel& judge, const SftOptions& options) {
  std::vector<Request> requests;
  for (const Example& example : validation.examples) {
    Request request;
    request.prompt = example.prompt;
    request.seed = static_cast<uint64_t>(options.seed);
    request.prompt_index = static_cast<uint32_t>(requests.size());
    request.options.max_new_tokens = options.response_length;
    if (const auto end = end_id(model, tokenizer)) request.options.stop_ids = {*end};
    requests.push_back(std::move(request));
  }
  const auto samples = scored_samples(requests, generate(model, requests), tokenizer);
  std::vector<Score> scores(samples.size());
  judge.score(samples, scores);
  double sum = 0;
  for (const Score& score : scores) sum += score.reward;
  return sum / static_cast<double>(scores.size());
}

}  // namespace

void SftOptions::visit(OptionVisitor& v) {
  SupervisedOptions::visit(v);
  v(&completion_only, "completion_only", "Score the completion's tokens only; else prompt and completion.");
  v(&reward_model, "reward_model",
    "With --validation: keep the weights whose samples this reward model scores best.", input());
  v(&response_length, "response_length", "Longest sample in tokens when selecting by --reward-model.",
    at_least(1));
}

void SftOptions::check() const {
  SupervisedOptions::check();
  if (!reward_model.empty() && (validation.empty() || select != "reward"))
    throw UsageError("--reward-model", "expected --validation rows and --select reward with it");
  if (select == "reward" && reward_model.empty())
    throw UsageError("--select", "expected --reward-model to select by reward, got none");
}

void train_sft(SftOptions& options) {
  LanguageTask task{"sft",
                    open_language_model(options.model, options.compute),
                    load_tokenizer(options.model),
                    TooLong::truncate,
                    options.completion_only,
                    {}};
  std::optional<RewardModel> judge;
  if (!options.reward_model.empty()) {
    judge.emplace(open_reward_model(options.reward_model, options.compute), options.model);
    task.selection_score =
        [&options, &judge, tokenizer = task.tokenizer,
         validation = open_language(options.validation, task, options.max_length)](const Model& model) {
          return -mean_reward(model, tokenizer ? &*tokenizer : nullptr, validation, *judge, options);
        };
  }
  train(std::move(task), options, {options.model, options.data, options.validation, options.reward_model});
}

PretrainOptions::PretrainOptions() {
  learning_rate = 1e-3;
  model_required = false;
}

void PretrainOptions::visit(OptionVisitor& v) {
  SupervisedOptions::visit(v);
  v(&tokenizer, "tokenizer", "A folder with the tokenizer's files (keel tokenize --train makes one).",
    input());
  v(&family, "family", "The new model's family.", one_of({"llama", "gpt2", "qwen2"}));
  v(&hidden, "hidden", "Width.", at_least(1));
  v(&layers, "layers", "Blocks.", at_least(1));
  v(&heads, "heads", "Query heads.", at_least(1));
  v(&kv_heads, "kv_heads", "Key heads; 0: as many as query heads.", at_least(0));
  v(&mlp, "mlp", "Inner width of the MLP; 0: 8/3 of the width for a gated one, else 4 times.", at_least(0));
  v(&context, "context", "Longest text in tokens.", at_least(2));
  v(&tied_head, "tied_head", "One matrix for embedding and language head.");
}

void PretrainOptions::check() const {
  SupervisedOptions::check();
  if (hidden % heads != 0)
    throw UsageError("--heads", "expected a divisor of --hidden " + std::to_string(hidden));
  if (model.empty() == tokenizer.empty())
    throw UsageError("--tokenizer",
                     "expected either --tokenizer for a new model or --model to go on with one");
}

namespace {

DecoderConfig new_config(const PretrainOptions& o, int64_t vocabulary) {
  const bool gpt2 = o.family == "gpt2";
  DecoderConfig c;
  c.vocabulary = vocabulary;
  c.hidden = o.hidden;
  c.layers = o.layers;
  c.heads = o.heads;
  c.kv_heads = o.kv_heads > 0 ? o.kv_heads : o.heads;
  c.head_size = o.hidden / o.heads;
  c.mlp = o.mlp > 0 ? o.mlp : gpt2 ? 4 * o.hidden : (o.hidden * 8 / 3 + 31) / 32 * 32;
  c.max_positions = o.context;
  c.norm = gpt2 ? Norm::layer : Norm::rms;
  c.norm_epsilon = gpt2 ? 1e-5 : 1e-6;
  c.positions = gpt2 ? Positions::learned : Positions::rotary;
  c.activation = gpt2 ? Activation::gelu_tanh : Activation::silu;
  c.gated_mlp = !gpt2;
  c.qkv_bias = o.family != "llama";
  c.attention_out_bias = c.mlp_bias = gpt2;
  c.tied_head = o.tied_head;
  return c;
}

Model fresh_model(const PretrainOptions& options) {
  const Tokenizer tokenizer = Tokenizer::load(options.tokenizer);
  Model model = new_model(family_named(options.family, "--family"), new_config(options, tokenizer.size()),
                          HeadKind::language, static_cast<uint64_t>(options.seed));
  model.folder = options.tokenizer;
  model.precision =
      choose_precision(options.compute.precision, options.hidden, options.compute.chosen_device());
  const auto set = [&](const char* name, std::optional<int64_t> id) {
    model.config_json[name] = id ? Json(*id) : Json();
  };
  set("bos_token_id", tokenizer.bos_id());
  set("eos_token_id", tokenizer.eos_id());
  set("pad_token_id", tokenizer.pad_id());
  return on_device(std::move(model), options.compute.chosen_device());
}

}  // namespace

void train_pretrain(PretrainOptions& options) {
  const bool fresh = options.model.empty();
  const std::string source = fresh ? options.tokenizer : options.model;
  LanguageTask task{"pretrain",
                    fresh ? fresh_model(options) : open_language_model(options.model, options.compute),
                    load_tokenizer(source),
                    TooLong::split,
                    /*completion_only=*/false,
                    {}};
  train(std::move(task), options, {source, options.data, options.validation});
}

}  // namespace keel
