// What a choice reports of itself, and that the short way without cuts draws from the same distribution.
#include <gtest/gtest.h>

#include <cmath>

#include "keel/rollout/token_sampling.h"

namespace keel {
namespace {

const std::vector<float> kLogits = {0.5F, 2.0F, 1.0F, -1.0F};

// log softmax(kLogits / temperature) of one token.
double log_probability(int64_t token, double temperature) {
  double sum = 0;
  for (const float logit : kLogits) sum += std::exp(logit / temperature);
  return kLogits[static_cast<size_t>(token)] / temperature - std::log(sum);
}

TEST(TokenChoice, FrequenciesFollowTheTemperature) {
  const int64_t draws = 20000;
  for (const double temperature : {0.5, 1.0, 3.0}) {
    std::vector<double> shares(kLogits.size());
    for (int64_t i = 0; i < draws; ++i) {
      const TokenChoice choice =
          choose_token(kLogits, {}, {.temperature = temperature}, (static_cast<double>(i) + 0.5) / draws);
      shares[static_cast<size_t>(choice.token)] += 1.0 / draws;
      ASSERT_NEAR(choice.logp, log_probability(choice.token, temperature), 1e-6);
      ASSERT_EQ(choice.logp, choice.logp_sampled);
    }
    for (size_t token = 0; token < shares.size(); ++token)
      EXPECT_NEAR(shares[token], std::exp(log_probability(static_cast<int64_t>(token), temperature)), 1e-3)
          << "token " << token << " at temperature " << temperature;
  }
}

TEST(TokenChoice, CutsChangeWhatIsDrawnFromAndNotTheLogProbability) {
  for (const double u : {0.01, 0.5, 0.99}) {
    const TokenChoice choice = choose_token(kLogits, {}, {.temperature = 2.0, .top_k = 2}, u);
    EXPECT_TRUE(choice.token == 1 || choice.token == 2);
    EXPECT_NEAR(choice.logp, log_probability(choice.token, 2.0), 1e-6);
    const double kept = std::exp(log_probability(1, 2.0)) + std::exp(log_probability(2, 2.0));
    EXPECT_NEAR(choice.logp_sampled, log_probability(choice.token, 2.0) - std::log(kept), 1e-6);
  }
}

TEST(TokenChoice, GreedyReportsTheLogProbabilityAtTemperatureOne) {
  const TokenChoice choice = choose_token(kLogits, {}, {.temperature = 0}, 0.5);
  EXPECT_EQ(choice.token, 1);
  EXPECT_NEAR(choice.logp, log_probability(1, 1.0), 1e-6);
  EXPECT_EQ(choice.logp_sampled, 0);  // there was nothing to draw
  // With a penalty on it another token is the largest; its log-probability is that of the logits as they are.
  const std::vector<int64_t> context = {1};
  const TokenChoice penalized =
      choose_token(kLogits, context, {.temperature = 0, .repetition_penalty = 1e6}, 0.5);
  EXPECT_NE(penalized.token, 1);
  EXPECT_NEAR(penalized.logp, log_probability(penalized.token, 1.0), 1e-6);
}

}  // namespace
}  // namespace keel
