// Sampler and trainer agree to the bit: what was sampled token by token, and what one pass over the packed
// episodes says.
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

// Prompts whose ends lie inside a page, at its edge and beyond it, and beyond a block of attention; two
// samples of each.
Sampled sample(const Model& model, const SamplingOptions& options) {
  std::vector<Request> requests;
  for (const int64_t length : {1, 16, 19, 65, 70}) {
    if (length >= model.config().max_positions) continue;
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
  at::NoGradGuard no_grad;
  std::vector<const Episode*> pointers;
  for (const Episode& episode : episodes) pointers.push_back(&episode);
  const EpisodeBatch batch = episode_batch(pointers);
  const Role role = role_of(model);
  const Tensor hidden = forward(batch.forest, std::span(&role, 1)).front();
  const Tensor logp = language_logprobs(role, hidden, batch.from, batch.tokens, temperature).logp;
  const float* values = logp.const_data_ptr<float>();
  return {values, values + logp.numel()};
}

int64_t different(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return -1;
  int64_t count = 0;
  for (size_t i = 0; i < a.size(); ++i) count += std::memcmp(&a[i], &b[i], sizeof(float)) != 0 ? 1 : 0;
  return count;
}

class Agreement : public ::testing::TestWithParam<std::tuple<std::string, Precision>> {};

TEST_P(Agreement, OfSamplerAndTrainerIsToTheBit) {
  Model model = load_model(golden("models/" + std::get<0>(GetParam())));
  model.precision = std::get<1>(GetParam());
  for (const int64_t top_k : {0, 5}) {
    SamplingOptions options;
    options.max_new_tokens = 90;
    options.temperature = 0.7;
    options.top_k = top_k;
    const Sampled sampled = sample(model, options);
    EXPECT_EQ(different(scored(model, sampled.episodes, 0.7), sampled.logps), 0) << sampled.logps.size();
    const std::vector<Episode> last = {sampled.episodes.back()};
    const auto count = static_cast<std::ptrdiff_t>(last.front().response.size());
    EXPECT_EQ(different(scored(model, last, 0.7), {sampled.logps.end() - count, sampled.logps.end()}), 0)
        << count;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Agreement,
                         ::testing::Combine(::testing::Values("llama_untied", "llama_rope3", "gpt2", "qwen2"),
                                            ::testing::Values(Precision::float32, Precision::bfloat16)));

}  // namespace
}  // namespace keel
