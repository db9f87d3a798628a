// Five steps of SFT and of a reward model in float64 against torch.optim.AdamW with transformers' cosine
// schedule (tests/golden/make_train.py). The loops themselves are tested through the binary
// (tests/cli/test_train_golden.py).
#include <gtest/gtest.h>

#include "keel/algorithms/next_token.h"
#include "keel/algorithms/preference_loss.h"
#include "keel/data/batches.h"
#include "keel/models/model_folder.h"
#include "keel/optimizers/adamw.h"
#include "keel/optimizers/schedule.h"
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

Tensor reward_loss(const Model& model, std::span<const Example* const> batch) {
  const JudgedBatch input = judged_batch(batch);
  const ComparisonBatch pairs = comparison_batch(batch, input, static_cast<int64_t>(batch.size()));
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

Tensor every_token_loss(const Model& model, std::span<const Example* const> batch, double share) {
  const JudgedBatch input = judged_batch(batch);
  const Tensor hidden = forest_hidden(model.decoder, input.forest, {});
  std::vector<double> values;
  for (const Example* example : batch) values.push_back(*example->label ? 1 : 0);
  const Tensor label = at::tensor(values, at::kDouble).to(hidden.device());
  const Tensor last = scalar_values(role_of(model), hidden, input.last_rows);
  const TokenRows tokens = token_rows(input);
  const Tensor all = scalar_values(role_of(model), hidden, tokens.row);
  const auto count = static_cast<double>(batch.size());
  return (1 - share) * label_loss(last, label, at::full_like(label, 1 / count)) +
         share * label_loss(all, label.index_select(0, tokens.completion.to(hidden.device())),
                            tokens.weight.to(hidden.device()) / count);
}

std::vector<Example> examples_of(const std::string& name, const GoldenTensors& file,
                                 const std::string& step) {
  if (name.starts_with("reward")) return preferences(file, step);
  return name.starts_with("labels") ? labelled(file, step) : demonstrations(file, step);
}

Tensor loss_of(const std::string& name, const Model& model, const GoldenTensors& file,
               std::span<const Example* const> batch) {
  if (name.starts_with("reward")) return reward_loss(model, batch);
  return name.starts_with("labels") ? every_token_loss(model, batch, number(file["every_token"]))
                                    : sft_loss(model, batch);
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
    const Tensor loss = loss_of(GetParam(), model, file, batch);
    optimizer.zero_grad();
    loss.backward();
    EXPECT_NEAR(number(loss), number(file["loss"][s]), 1e-9) << s;
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
                         testing::Values("sft_llama", "sft_gpt2", "reward_llama", "labels_llama"),
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
