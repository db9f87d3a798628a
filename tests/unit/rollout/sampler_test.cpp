#include "keel/rollout/sampler.h"

#include <gtest/gtest.h>

#include <cmath>

#include "keel/base/error.h"
#include "keel/models/model_folder.h"
#include "tensors/dense_reference.h"
#include "tensors/golden_tensors.h"
#include "test_data.h"

namespace keel {
namespace {

using namespace testing_reference;

Request request_for(std::vector<int64_t> prompt, int64_t samples, int64_t tokens, uint32_t index = 0) {
  Request request;
  request.prompt = std::move(prompt);
  request.samples = samples;
  request.options.max_new_tokens = tokens;
  request.seed = 3;
  request.prompt_index = index;
  return request;
}

TEST(Sampler, TinyStoriesGreedyContinuationIsExact) {
  const auto folder = real_data("weights-tinystories-656k");
  KEEL_NEED_REAL_DATA(folder);
  const Model model = load_model(folder);
  const auto wanted = ids_of(GoldenTensors(golden("tinystories.safetensors"))["greedy_ids"]);
  Request request = request_for({1}, 1, static_cast<int64_t>(wanted.size()) - 1);
  request.options.temperature = 0;
  const auto completion = generate(model, {request}).front().front();
  EXPECT_EQ(completion.tokens, std::vector<int64_t>(wanted.begin() + 1, wanted.end()));
}

// What the sampler says of its tokens is what a full forward pass says, for every family.
TEST(Sampler, LogProbabilitiesEqualAFullForwardPass) {
  for (const std::string name : {"llama_untied", "llama_rope3", "gpt2", "qwen2"}) {
    const Model model = on_device(load_model(golden("models/" + name)), test_device());
    std::vector<Request> requests = {request_for({5, 6, 7}, 3, 12, 0), request_for({9}, 2, 20, 1),
                                     request_for({1, 2, 3, 4, 5, 6}, 4, 5, 2)};
    requests[1].options.temperature = 0.7;
    for (Request& request : requests) request.options.stop_ids = {11, 12, 13};
    const auto prompts = requests;
    const auto completions = generate(model, requests, {.rows = 5, .cache_slots = 80});
    for (size_t i = 0; i < prompts.size(); ++i)
      for (const Completion& completion : completions[i]) {
        ForestBuilder builder;
        const int32_t root = builder.add(prompts[i].prompt);
        builder.add(completion.tokens, root);
        const Forest forest = builder.build();
        const auto from = at::arange(builder.last_row(root), builder.size() - 1, at::kLong);
        const LogProbs full =
            language_logprobs(role_of(model), forest_hidden(model.decoder, forest, {}), from,
                              at::tensor(completion.tokens, at::kLong), prompts[i].options.temperature);
        EXPECT_LT(largest_difference(full.logp, at::tensor(completion.logps, at::kDouble)), 1e-5) << name;
        EXPECT_EQ(completion.logps, completion.logps_sampled);
        const bool stopped = completion.tokens.back() >= 11 && completion.tokens.back() <= 13;
        EXPECT_EQ(completion.finish == Finish::stop, stopped);
      }
  }
}

TEST(Sampler, TokensDoNotDependOnWhatElseIsInTheBatch) {
  const Model model = load_model(golden("models/llama_untied"));
  const auto alone = generate(model, {request_for({5, 6, 7}, 2, 10, 4)});
  const auto crowd =
      generate(model, {request_for({8, 9}, 3, 6, 1), request_for({5, 6, 7}, 2, 10, 4)}, {.rows = 4});
  for (size_t sample = 0; sample < 2; ++sample) EXPECT_EQ(alone[0][sample].tokens, crowd[1][sample].tokens);
}

TEST(Sampler, BudgetIsCappedByTheContextAndLongPromptsAreRefused) {
  const Model model = load_model(golden("models/llama_untied"));  // a context of 64
  const auto completions = generate(model, {request_for(std::vector<int64_t>(60, 5), 1, 100)});
  EXPECT_EQ(completions[0][0].tokens.size(), 4u);
  EXPECT_EQ(completions[0][0].finish, Finish::length);
  Sampler sampler(model);
  EXPECT_THROW(sampler.submit(request_for(std::vector<int64_t>(64, 5), 1, 1), {}), Error);
  EXPECT_THROW(sampler.submit(request_for({}, 1, 1), {}), Error);
  EXPECT_THROW(sampler.submit(request_for({97}, 1, 1), {}), Error);
}

TEST(Sampler, CancelledRequestsAreNotDelivered) {
  const Model model = load_model(golden("models/llama_untied"));
  Sampler sampler(model);
  int delivered = 0;
  const Ticket first = sampler.submit(request_for({5}, 2, 10), [&](const Completion&) { delivered += 100; });
  sampler.submit(request_for({6}, 2, 3), [&](const Completion&) { ++delivered; });
  sampler.step();
  sampler.cancel(first);
  while (sampler.step()) {
  }
  EXPECT_EQ(delivered, 2);
}

TEST(Sampler, StopStringsEndATextAfterTheTokenThatCompletesThem) {
  const Model model = load_model(golden("models/llama_untied"));
  Request request = request_for({5, 6, 7}, 1, 30);
  const auto free = generate(model, {request})[0][0].tokens;
  request.decode = [](std::span<const int64_t> ids) {
    std::string text;
    for (const int64_t id : ids) text += "<" + std::to_string(id) + ">";
    return text;
  };
  request.options.stop_strings = {std::to_string(free[4]) + "><" + std::to_string(free[5])};
  const auto stopped = generate(model, {request})[0][0];
  EXPECT_EQ(stopped.finish, Finish::stop_string);
  EXPECT_EQ(stopped.tokens, std::vector<int64_t>(free.begin(), free.begin() + 6));
}

TEST(TokenChoice, DistributionEqualsTransformers) {
  const GoldenTensors file(golden("sampling.safetensors"));
  const Tensor parameters = file["parameters"], index = file["logits_index"];
  const auto ids = ids_of(file["ids"]);
  for (int64_t c = 0; c < parameters.size(0); ++c) {
    const Tensor row = file["logits"][index[c].item().toLong()].to(at::kFloat).contiguous();
    const auto parameter = [&](int64_t i) { return parameters[c][i].item().toDouble(); };
    const SamplingOptions options{.temperature = parameter(0),
                                  .top_k = static_cast<int64_t>(parameter(1)),
                                  .top_p = parameter(2),
                                  .min_p = parameter(3),
                                  .repetition_penalty = parameter(4)};
    const std::span<const float> logits(row.const_data_ptr<float>(), static_cast<size_t>(row.numel()));
    const Tensor got = at::tensor(sampling_distribution(logits, ids, options), at::kDouble);
    EXPECT_LT(largest_difference(got, file["probabilities"][c]), 1e-6) << "case " << c;
  }
}

TEST(TokenChoice, FrequenciesFollowTheDistribution) {
  const std::vector<float> logits = {0.F, 1.F, 2.F, -1.F};
  const int64_t draws = 20000;
  std::vector<double> counts(4);
  for (int64_t i = 0; i < draws; ++i)
    counts[static_cast<size_t>(choose_token(logits, {}, {}, (static_cast<double>(i) + 0.5) / draws).token)] +=
        1.0 / draws;
  const std::vector<double> wanted = sampling_distribution(logits, {}, {});
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(counts[i], wanted[i], 1e-3);
}

}  // namespace
}  // namespace keel
