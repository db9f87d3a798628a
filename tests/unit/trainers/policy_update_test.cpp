// The terms of an update that the goldens leave out.
#include "keel/trainers/policy_update.h"

#include <gtest/gtest.h>

#include <array>

#include "keel/models/model_folder.h"
#include "tensors/dense_reference.h"
#include "test_data.h"

namespace keel {
namespace {

using testing_reference::largest_difference;

// The golden policy and value model in float64, with an optimizer each.
struct Learners {
  Model policy = load_model(golden("ppo/policy"), at::kDouble),
        value = load_model(golden("ppo/value"), at::kDouble);
  AdamW policy_optimizer{trainable(policy), {}}, value_optimizer{trainable(value), {}};
  Players players{role_of(policy), role_of(value), role_of(policy)};

  static std::vector<Parameter> trainable(Model& model) {
    set_trainable(model, true);
    return model.parameters();
  }
  void update(const Experience& experience, const UpdateOptions& options, double rate, double value_rate) {
    const auto in_order = [&](int64_t) {
      std::vector<int64_t> order(experience.episodes.size());
      for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
      return order;
    };
    update_policy(players, experience, in_order, policy_optimizer, rate, value_optimizer, value_rate,
                  options);
  }
};

const std::vector<Episode> kEpisodes = {
    {{1, 5, 9}, {4, 7, 3, 2}, true, 1.5}, {{1, 8}, {6, 2}, true, -0.5}, {{1, 4, 4, 4}, {9}, false, 0.3}};

TEST(PolicyUpdate, EntropyBonusRaisesTheEntropy) {
  Learners learners;
  UpdateOptions options;
  options.entropy_coefficient = 1;
  options.epochs = 1;
  Experience experience = make_experience(learners.players, kEpisodes, 0, options);
  experience.advantage.zero_();  // the bonus is all that moves the policy
  learners.update(experience, options, 1e-3, 0);
  const Experience after = make_experience(learners.players, kEpisodes, 0, options);
  EXPECT_GT(after.entropy.mean().item().toDouble(), experience.entropy.mean().item().toDouble() + 1e-3);
}

TEST(PolicyUpdate, MicroBatchesChangeNothingInTheValueModel) {
  std::array<Learners, 2> runs;  // not a vector: the players point into their models
  for (size_t run = 0; run < runs.size(); ++run) {
    UpdateOptions options;
    options.micro_batch_size = static_cast<int64_t>(run);  // all at once, or one by one
    const Experience experience = make_experience(runs[run].players, kEpisodes, 0.05, options);
    runs[run].update(experience, options, 0, 1e-3);
  }
  const auto whole = runs[0].value.parameters(), pieces = runs[1].value.parameters();
  for (size_t p = 0; p < whole.size(); ++p)
    EXPECT_LT(largest_difference(whole[p].value, pieces[p].value), 1e-12) << whole[p].name;
}

}  // namespace
}  // namespace keel
