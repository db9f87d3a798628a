// The terms of an update that the goldens leave out.
#include "keel/trainers/policy_update.h"

#include <gtest/gtest.h>

#include "keel/models/model_folder.h"
#include "test_data.h"

namespace keel {
namespace {

TEST(PolicyUpdate, EntropyBonusRaisesTheEntropy) {
  Model policy = load_model(golden("ppo/policy"), at::kDouble),
        value = load_model(golden("ppo/value"), at::kDouble);
  set_trainable(policy, true);
  set_trainable(value, true);
  AdamW policy_optimizer(policy.parameters(), {}), value_optimizer(value.parameters(), {});
  const Players players{role_of(policy), role_of(value), role_of(policy)};
  UpdateOptions options;
  options.epochs = 1;
  options.entropy_coefficient = 1;
  const std::vector<Episode> episodes = {{{1, 5, 9}, {4, 7, 3}, true, 0}, {{1, 8}, {6, 2}, true, 0}};
  Experience experience = make_experience(players, episodes, 0, options);
  experience.advantage.zero_();  // the bonus is all that moves the policy
  const auto in_order = [](int64_t) { return std::vector<int64_t>{0, 1}; };
  update_policy(players, experience, in_order, policy_optimizer, 1e-3, value_optimizer, 0, options);
  const Experience after = make_experience(players, episodes, 0, options);
  EXPECT_GT(after.entropy.mean().item().toDouble(), experience.entropy.mean().item().toDouble() + 1e-3);
}

}  // namespace
}  // namespace keel
