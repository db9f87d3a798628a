// Ten PPO updates in float64 on fixed rollouts, against a re-statement of TRL 0.24's update that reproduces
// its PPOTrainer weight for weight (tests/reference/trl_ppo.py, tests/golden/make_ppo.py).
#include <gtest/gtest.h>

#include "keel/base/json.h"
#include "keel/models/model_folder.h"
#include "keel/trainers/policy_update.h"
#include "tensors/dense_reference.h"
#include "tensors/golden_tensors.h"
#include "test_data.h"
#include "trainers/golden_training.h"

namespace keel {
namespace {

using namespace testing_reference;

struct GoldenRun {
  std::string name;
  GoldenTensors wanted{golden("ppo/" + name + ".safetensors")}, rollouts{golden("ppo/rollouts.safetensors")};
  Json settings = read_json(golden("ppo/settings.json"))[name];
};

UpdateOptions options_of(const Json& settings) {
  UpdateOptions o;
  o.temperature = settings["temperature"].get<double>() + settings["temperature_epsilon"].get<double>();
  o.gamma = settings["gamma"];
  o.lambda = settings["lam"];
  o.clip = {settings["cliprange"], settings["cliprange"]};
  o.value_clip = settings["cliprange_value"];
  o.value_coefficient = settings["vf_coef"];
  o.score_place = settings["score_position"] == "last" ? ScorePlace::last_token : ScorePlace::after_end;
  o.response_length = settings["response_length"];
  o.epochs = settings["num_ppo_epochs"];
  o.mini_batches = settings["num_mini_batches"];
  o.max_grad_norm = o.value_max_grad_norm = 0;  // TRL 0.24's PPO never clips gradients
  return o;
}

std::vector<Episode> episodes_of(const GoldenTensors& file, int64_t update) {
  const std::string prefix = "update_" + std::to_string(update) + "_";
  const auto queries = ids_of(file[prefix + "query_tokens"]),
             responses = ids_of(file[prefix + "response_tokens"]);
  const auto query = ids_of(file[prefix + "query_offsets"]),
             response = ids_of(file[prefix + "response_offsets"]);
  const Tensor finished = file[prefix + "finished"].to(at::kLong), scores = file[prefix + "scores"];
  std::vector<Episode> episodes;
  for (size_t i = 0; i + 1 < query.size(); ++i)
    episodes.push_back({{queries.begin() + query[i], queries.begin() + query[i + 1]},
                        {responses.begin() + response[i], responses.begin() + response[i + 1]},
                        finished[static_cast<int64_t>(i)].item().toLong() != 0,
                        scores[static_cast<int64_t>(i)].item().toDouble()});
  return episodes;
}

class PpoGolden : public testing::TestWithParam<std::string> {};

TEST_P(PpoGolden, TenUpdatesEqualTrl) {
  const GoldenRun run{GetParam()};
  const auto open = [](const char* name) {
    return on_device(load_model(golden(std::string("ppo/") + name), at::kDouble), test_device());
  };
  const Model policy = open("policy"), value = open("value"), reference = open("policy");
  set_trainable(policy, true);
  set_trainable(value, true);
  const AdamWOptions adamw{0.9, 0.999, run.settings["adam_epsilon"], 0};
  AdamW policy_optimizer(policy.parameters(), adamw), value_optimizer(value.parameters(), adamw);
  const Players players{role_of(policy), role_of(value), role_of(reference)};
  const UpdateOptions options = options_of(run.settings);
  const double rate = run.settings["learning_rate"];
  for (int64_t update = 0; update < run.settings["updates"].get<int64_t>(); ++update) {
    const Experience experience =
        make_experience(players, episodes_of(run.rollouts, update), run.settings["kl_coef"], options);
    const Tensor permutations = run.rollouts["update_" + std::to_string(update) + "_permutations"];
    if (update == 0) {
      EXPECT_LT(largest_difference(experience.logp, run.wanted["first.logps"]), 1e-6);
      EXPECT_LT(largest_difference(experience.value, run.wanted["first.values"]), 1e-6);
      EXPECT_LT(largest_difference(experience.rewards, run.wanted["first.rewards"]), 1e-6);
      EXPECT_LT(largest_difference(experience.returns, run.wanted["first.returns"]), 1e-6);
      EXPECT_LT(largest_difference(experience.advantage, run.wanted["first.advantages"]), 1e-6);
    }
    const UpdateReport report = update_policy(
        players, experience, [&](int64_t epoch) { return ids_of(permutations[epoch]); },
        {policy_optimizer, rate}, {value_optimizer, rate}, options);
    const auto logged = [&](const std::string& name) {
      return run.wanted["log." + name][update].mean().item().toDouble();
    };
    EXPECT_NEAR(report.policy_loss, logged("policy_loss"), 1e-5) << update;
    EXPECT_NEAR(report.value_loss, logged("value_loss"), 1e-5) << update;
    EXPECT_NEAR(report.policy_clip_fraction, logged("policy_clip_fraction"), 1e-9) << update;
    EXPECT_NEAR(report.value_clip_fraction, logged("value_clip_fraction"), 1e-9) << update;
    EXPECT_NEAR(report.entropy, logged("entropy"), 1e-5) << update;
  }
  EXPECT_LT(relative_error(policy, golden("ppo/policy"), run.wanted, "policy."), 1e-6);
  EXPECT_LT(relative_error(value, golden("ppo/value"), run.wanted, "value."), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Conventions, PpoGolden,
                         testing::Values("score_position_after_eos", "score_position_last",
                                         "score_position_after_eos_large_epsilon"),
                         [](const auto& convention) { return convention.param; });

// Micro-batches change nothing but memory, and neither does a prompt that several episodes share.
TEST(PolicyUpdate, MicroBatchesChangeNothing) {
  const GoldenRun run{"score_position_last"};
  std::vector<Model> policies;
  for (const int64_t micro : {0, 1, 3}) {
    Model policy = load_model(golden("ppo/policy"), at::kDouble),
          value = load_model(golden("ppo/value"), at::kDouble);
    const Model reference = load_model(golden("ppo/policy"), at::kDouble);
    set_trainable(policy, true);
    set_trainable(value, true);
    AdamW policy_optimizer(policy.parameters(), {}), value_optimizer(value.parameters(), {});
    const Players players{role_of(policy), role_of(value), role_of(reference)};
    UpdateOptions options = options_of(run.settings);
    options.limits.rows = micro;
    options.entropy_coefficient = 0.01;
    std::vector<Episode> episodes = episodes_of(run.rollouts, 0);
    for (size_t i = 1; i < 4; ++i) episodes[i].prompt = episodes[0].prompt;
    const Experience experience = make_experience(players, episodes, 0.05, options);
    const auto order = [](int64_t) { return std::vector<int64_t>{5, 0, 7, 2, 1, 11, 9, 3, 10, 8, 4, 6}; };
    update_policy(players, experience, order, {policy_optimizer, 1e-3}, {value_optimizer, 1e-3}, options);
    policies.push_back(std::move(policy));
  }
  for (size_t i = 1; i < policies.size(); ++i)
    for (size_t p = 0; p < policies[0].parameters().size(); ++p)
      EXPECT_LT(largest_difference(policies[0].parameters()[p].value, policies[i].parameters()[p].value),
                1e-12);
}

}  // namespace
}  // namespace keel
