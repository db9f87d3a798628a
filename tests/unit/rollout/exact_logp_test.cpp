// Exact means to the bit: what the sampler reported, whatever else is scored beside it.
#include "keel/rollout/exact_logp.h"

#include <gtest/gtest.h>

#include <cstring>

#include "keel/data/episodes.h"
#include "keel/models/model_folder.h"
#include "keel/rollout/sampler.h"
#include "test_data.h"

namespace keel {
namespace {

struct Sampled {
  std::vector<Episode> episodes;
  std::vector<float> logps;
};

// Prompts whose ends lie inside a page, at its edge and beyond it; two samples of each.
Sampled sample(const Model& model, const SamplingOptions& options) {
  std::vector<Request> requests;
  for (const int64_t length : {1, 16, 19}) {
    Request request;
    for (int64_t i = 0; i < length; ++i) request.prompt.push_back(3 + (5 * i + length) % 17);
    request.samples = 2;
    request.options = options;
    request.prompt_index = static_cast<uint32_t>(length);
    requests.push_back(request);
  }
  Sampled sampled;
  const auto completions = generate(model, requests);
  for (size_t i = 0; i < requests.size(); ++i)
    for (const Completion& c : completions[i]) {
      sampled.episodes.push_back({requests[i].prompt, c.tokens, true, 0});
      for (const double logp : c.logps) sampled.logps.push_back(static_cast<float>(logp));
    }
  return sampled;
}

std::vector<float> scored(const Model& model, const std::vector<Episode>& episodes, double temperature) {
  std::vector<const Episode*> pointers;
  for (const Episode& episode : episodes) pointers.push_back(&episode);
  const EpisodeBatch batch = episode_batch(pointers);
  const Tensor logp = exact_logp(model, batch.forest, batch.from, batch.tokens, temperature);
  const float* values = logp.const_data_ptr<float>();
  return {values, values + logp.numel()};
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class ExactLogp : public ::testing::TestWithParam<std::tuple<std::string, Precision>> {};

TEST_P(ExactLogp, EqualsTheSamplerToTheBit) {
  Model model = load_model(golden("models/" + std::get<0>(GetParam())));
  model.precision = std::get<1>(GetParam());
  for (const int64_t top_k : {0, 5}) {
    SamplingOptions options;
    options.max_new_tokens = 9;
    options.temperature = 0.7;
    options.top_k = top_k;
    const Sampled sampled = sample(model, options);
    EXPECT_TRUE(same_bits(scored(model, sampled.episodes, 0.7), sampled.logps));
    const std::vector<Episode> last = {sampled.episodes.back()};
    const auto count = static_cast<std::ptrdiff_t>(last.front().response.size());
    EXPECT_TRUE(same_bits(scored(model, last, 0.7), {sampled.logps.end() - count, sampled.logps.end()}));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ExactLogp,
                         ::testing::Combine(::testing::Values("llama_untied", "gpt2", "qwen2"),
                                            ::testing::Values(Precision::float32, Precision::bfloat16)));

TEST(WithValues, HasTheValuesOfOneAndTheGradientOfTheOther) {
  const Tensor x = at::ones({3}).requires_grad_(true), values = at::tensor({0.1F, 0.2F, 0.3F});
  const Tensor y = with_values(2 * x, values);
  EXPECT_TRUE(y.equal(values));
  (y * values).sum().backward();
  EXPECT_TRUE(x.grad().equal(2 * values));
}

}  // namespace
}  // namespace keel
