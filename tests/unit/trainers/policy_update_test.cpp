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
    update_policy(players, experience, in_order, {policy_optimizer, rate}, {value_optimizer, value_rate},
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

// Neighbours that share prompts, of which some limits part one.
const std::vector<Episode> kSharedEpisodes = {
    {{1, 5, 9}, {4, 7, 3, 2}, true, 1.5},    {{1, 5, 9}, {8, 2}, true, 0.2},
    {{1, 5, 9}, {6, 6, 6, 6, 6}, false, -1}, {{1, 8}, {6, 2}, true, -0.5},
    {{1, 4, 4, 4}, {9}, false, 0.3},         {{1, 4, 4, 4}, {9, 5, 7, 7, 2}, true, 0.8}};

TEST(PolicyUpdate, MicroBatchesChangeNothing) {
  const std::array<MicroBatchLimits, 5> limits = {
      {{}, {.rows = 1}, {.rows = 4, .width = 8}, {.tokens = 9, .width = 8}, {.rows = 2, .tokens = 12}}};
  std::array<Learners, 5> runs;  // not a vector: the players point into their models
  std::array<Experience, 5> experiences;
  for (size_t run = 0; run < runs.size(); ++run) {
    UpdateOptions options;
    options.limits = limits[run];
    options.mini_batches = 2;
    options.score_place = ScorePlace::after_end;
    options.response_length = 5;
    experiences[run] = make_experience(runs[run].players, kSharedEpisodes, 0.05, options);
    runs[run].update(experiences[run], options, 1e-3, 1e-3);
    for (const auto member : {&Experience::logp, &Experience::advantage, &Experience::entropy,
                              &Experience::value, &Experience::returns, &Experience::logp_reference})
      EXPECT_LT(largest_difference(experiences[run].*member, experiences[0].*member), 1e-12) << run;
    for (const auto model : {&Learners::policy, &Learners::value}) {
      const auto whole = (runs[0].*model).parameters(), pieces = (runs[run].*model).parameters();
      for (size_t p = 0; p < whole.size(); ++p)
        EXPECT_LT(largest_difference(whole[p].value, pieces[p].value), 1e-9) << whole[p].name;
    }
  }
}

}  // namespace
}  // namespace keel
