// Five steps of SFT and of reward models in float64 against torch.optim.AdamW with transformers' cosine
// schedule (tests/golden/make_train.py). The loops themselves are tested through the binary
// (tests/cli/test_train_golden.py).
#include <gtest/gtest.h>

#include <cmath>

#include "keel/algorithms/next_token.h"
#include "keel/algorithms/preference_loss.h"
#include "keel/data/batches.h"
#include "keel/models/model_folder.h"
#include "keel/optimizers/adamw.h"
#include "keel/optimizers/schedule.h"
#include "keel/trainers/reward_update.h"
#include "tensors/dense_reference.h"
#include "tensors/golden_tensors.h"
#include "test_data.h"
#include "trainers/golden_training.h"

namespace keel {
namespace {

using namespace testing_reference;

double number(const Tensor& tensor) {
  return tensor.item().toDouble();
}

std::vector<Example> demonstrations(const GoldenTensors& file, const std::string& step) {
  std::vector<Example> examples;
  const auto lengths = ids_of(file[step + "prompt_lengths"]);
  for (const auto& row : unpack(file, step)) {
    const auto split = row.begin() + lengths[examples.size()];
    examples.push_back({.prompt = {row.begin(), split}, .completions = {{split, row.end()}}});
  }
  return examples;
}

Tensor sft_loss(const Model& model, std::span<const Example* const> batch) {
  const LanguageBatch input = language_batch(batch, true);
  const Tensor logp = language_logprobs(role_of(model), forest_hidden(model.decoder, input.forest, {}),
                                        input.from, input.tokens)
                          .logp;
  return next_token_loss(logp, at::full_like(logp, 1.0 / static_cast<double>(logp.numel())).detach());
}

// By weights in float64; the trainer's are float32 (comparison_batch), which holds those of ranked_llama.
Tensor reward_loss(const Model& model, std::span<const Example* const> batch) {
  const JudgedBatch input = judged_batch(batch);
  const ComparisonBatch pairs = comparison_batch(batch, input, pair_weight(batch));
  const Tensor rewards =
      scalar_values(role_of(model), forest_hidden(model.decoder, input.forest, {}), input.last_rows);
  const Tensor better = pairs.better.to(rewards.device()), worse = pairs.worse.to(rewards.device());
  const Tensor weight = at::full(better.sizes(), 1.0 / static_cast<double>(batch.size()),
                                 rewards.options().requires_grad(false));
  return preference_loss(rewards.index_select(0, better), rewards.index_select(0, worse), {}, weight);
}

std::vector<Example> labelled(const GoldenTensors& file, const std::string& step) {
  std::vector<Example> examples;
  const Tensor labels = file[step + "labels"];
  for (const auto& row : unpack(file, step))
    examples.push_back({.completions = {row}, .label = number(labels[std::ssize(examples)]) > 0.5});
  return examples;
}

std::vector<Example> ranked(const GoldenTensors& file, const std::string& step) {
  std::vector<Example> examples;
  const auto prompts = unpack(file, step + "prompt_"), completions = unpack(file, step + "completion_");
  const auto ranks = ids_of(file[step + "ranks"]), offsets = ids_of(file[step + "row_offsets"]);
  for (size_t i = 0; i < prompts.size(); ++i) {
    Example& example = examples.emplace_back();
    example.prompt = prompts[i];
    example.judgement.weight = number(file[step + "weights"][static_cast<int64_t>(i)]);
    for (int64_t j = offsets[i]; j < offsets[i + 1]; ++j) {
      example.completions.push_back(completions[static_cast<size_t>(j)]);
      example.ranks.push_back(ranks[static_cast<size_t>(j)]);
      example.judgement.scores.push_back(number(file[step + "scores"][j]));
    }
  }
  return examples;
}

std::vector<Example> valued(const GoldenTensors& file, const std::string& step,
                            const std::vector<std::string>& dimensions) {
  std::vector<Example> examples;
  const Tensor values = file[step + "values"];
  for (const auto& row : unpack(file, step)) {
    const int64_t i = std::ssize(examples);
    Example example{.completions = {row}};
    example.judgement.weight = number(file[step + "weights"][i]);
    for (size_t d = 0; d < dimensions.size(); ++d)
      if (const double value = number(values[i][static_cast<int64_t>(d)]); !std::isnan(value))
        example.judgement.values[dimensions[d]] = value;
    examples.push_back(std::move(example));
  }
  return examples;
}

RewardSettings settings_of(const std::string& name, const GoldenTensors& file) {
  if (name.starts_with("labels"))
    return {.judged = Judged::labels, .every_token = number(file["every_token"])};
  if (name.starts_with("ranked")) return {.pairs = {Ties::half, number(file["margin_scale"])}};
  if (name.starts_with("values")) return {.judged = Judged::values, .dimensions = {kScoreDimension}};
  if (name.starts_with("ratings"))
    return {.judged = Judged::values, .dimensions = {"harmless", "helpful", "honest"}};
  return {};
}

std::vector<Example> examples_of(const std::string& name, const GoldenTensors& file,
                                 const std::string& step) {
  if (name.starts_with("reward")) return preferences(file, step);
  if (name.starts_with("ranked")) return ranked(file, step);
  if (name.starts_with("labels")) return labelled(file, step);
  if (name.starts_with("sft")) return demonstrations(file, step);
  return valued(file, step, settings_of(name, file).dimensions);
}

// The loss of a batch, with its gradients. The trainer's own in micro-batches of two rows.
double learn(const std::string& name, const Model& model, const GoldenTensors& file,
             std::span<const Example* const> batch) {
  if (!name.starts_with("sft") && !name.starts_with("reward")) {
    RewardSettings settings = settings_of(name, file);
    settings.limits.rows = 2;
    return learn_judgements(model, batch, settings, nullptr).loss;
  }
  const Tensor loss = name.starts_with("sft") ? sft_loss(model, batch) : reward_loss(model, batch);
  loss.backward();
  return number(loss);
}

class SupervisedGolden : public testing::TestWithParam<std::string> {};

TEST_P(SupervisedGolden, FiveStepsEqualTorch) {
  const GoldenTensors file(golden("train/" + GetParam() + ".safetensors"));
  const Model model = on_device(load_model(golden("train/" + GetParam()), at::kDouble), test_device());
  set_trainable(model, true);
  AdamW optimizer(model.parameters(), {.weight_decay = number(file["weight_decay"])});
  const Schedule schedule{ScheduleKind::cosine, 2, 5, 0};
  for (int64_t s = 0; s < 5; ++s) {
    const std::string step = "step_" + std::to_string(s) + "_";
    const auto examples = examples_of(GetParam(), file, step);
    std::vector<const Example*> batch;
    for (const Example& example : examples) batch.push_back(&example);
    optimizer.zero_grad();
    EXPECT_NEAR(learn(GetParam(), model, file, batch), number(file["loss"][s]), 1e-9) << s;
    EXPECT_NEAR(optimizer.clip(number(file["max_norm"])), number(file["grad_norm"][s]), 1e-8) << s;
    const double rate = number(file["peak_learning_rate"]) * schedule.multiplier(s);
    EXPECT_NEAR(rate, number(file["learning_rate"][s]), 1e-15);
    optimizer.step(rate);
  }
  const TemporaryFolder folder;
  save_model(model, folder.path());
  const GoldenTensors got(folder.path() / "model.safetensors");
  const SafetensorsFile names(folder.path() / "model.safetensors");
  for (const TensorBytes& tensor : names.tensors())
    EXPECT_LT(largest_difference(got[tensor.name], file["model." + tensor.name]), 1e-8) << tensor.name;
}

INSTANTIATE_TEST_SUITE_P(Models, SupervisedGolden,
                         testing::Values("sft_llama", "sft_gpt2", "reward_llama", "labels_llama",
                                         "ranked_llama", "values_llama", "ratings_llama"),
                         [](const auto& model) { return model.param; });

TEST(Schedule, MultipliersEqualTransformers) {
  const GoldenTensors file(golden("train/schedules.safetensors"));
  for (const std::string kind : {"cosine", "linear", "constant"})
    for (const int64_t warmup : {0, 4}) {
      const Tensor wanted = file[kind + "_warmup_" + std::to_string(warmup)];
      const Schedule schedule{schedule_named(kind), warmup, 20, 0};
      for (int64_t step = 0; step < 20; ++step)
        EXPECT_NEAR(schedule.multiplier(step), number(wanted[step]), 1e-12) << kind << step;
    }
}

}  // namespace
}  // namespace keel
