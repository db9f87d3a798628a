// Groups of pairs, and what length alone explains.
#include "keel/pipeline/reward_evaluation.h"

#include <gtest/gtest.h>

#include "keel/base/random.h"

namespace keel {
namespace {

// Eight pairs: rewards differ by 1 to 8, even ones right; the better one longer by index - 4.
std::vector<JudgedPair> eight_pairs() {
  std::vector<JudgedPair> pairs;
  for (int64_t i = 1; i <= 8; ++i) {
    const double lead = i % 2 == 0 ? static_cast<double>(i) : -static_cast<double>(i);
    pairs.push_back(
        {.prompt = i, .better = lead, .worse = 0, .longer = static_cast<double>(i - 4), .margin = 1});
  }
  return pairs;
}

TEST(RewardEvaluation, GroupsHoldEveryPairOnce) {
  const auto tables = accuracy_tables(eight_pairs());
  ASSERT_EQ(tables.size(), 2U);  // margins do not differ, and there is one group
  for (const AccuracyTable& table : tables) {
    int64_t right = 0, pairs = 0;
    for (const Accuracy& group : table.groups) right += group.right, pairs += group.pairs;
    EXPECT_EQ(right, 4) << table.name;
    EXPECT_EQ(pairs, 8) << table.name;
  }
  ASSERT_EQ(tables[0].groups.size(), 4U);
  for (const Accuracy& group : tables[0].groups) EXPECT_EQ(group.pairs, 2);
  EXPECT_EQ(tables[0].groups[0].name, "1 to 2");
  std::vector<int64_t> by_length;  // differences -3 -2 -1 | 0 | 1 2 3 4, whose sizes have the median 2
  for (const Accuracy& group : tables[1].groups) by_length.push_back(group.pairs);
  EXPECT_EQ(by_length, (std::vector<int64_t>{1, 2, 1, 2, 2}));
}

TEST(RewardEvaluation, MarginsAndGroupsGetTablesWhereTheyDiffer) {
  auto pairs = eight_pairs();
  for (JudgedPair& pair : pairs) {
    pair.margin = pair.prompt > 6 ? 3 : 1;
    pair.group = pair.prompt > 2 ? "long" : "short";
  }
  const auto tables = accuracy_tables(pairs);
  ASSERT_EQ(tables.size(), 4U);
  std::vector<int64_t> margins;
  for (const Accuracy& group : tables[2].groups) margins.push_back(group.pairs);
  EXPECT_EQ(margins, (std::vector<int64_t>{6, 2}));
  EXPECT_EQ(tables[3].groups[0].name, "long");
  EXPECT_EQ(tables[3].groups[0].pairs, 6);
  EXPECT_EQ(tables[3].groups[1].pairs, 2);
}

TEST(RewardEvaluation, GroupsBeyondTheTwentiethAreOne) {
  std::vector<JudgedPair> pairs(30);
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = {.better = 1, .group = std::to_string(i)};
  const auto groups = accuracy_tables(pairs).back().groups;
  ASSERT_EQ(groups.size(), 21U);
  EXPECT_EQ(groups.back().name, "all others");
  EXPECT_EQ(groups.back().pairs, 10);
}

// Pairs of completions of random lengths; `reward` says what a model gives to one of a length, `longer_wins`
// how often the longer one is the better one.
struct World {
  std::vector<JudgedPair> pairs;
  std::vector<double> lengths, rewards;
  std::vector<int64_t> prompts;
};
template <class Reward>
World world_of(double longer_wins, Reward reward) {
  RandomSequence draws({.seed = 5});
  World world;
  for (int64_t prompt = 0; prompt < 400; ++prompt) {
    const double a = static_cast<double>(1 + draws.below(30)),
                 b = a + static_cast<double>(1 + draws.below(9));
    const bool longer = draws.uniform() < longer_wins;
    const double better = longer ? b : a, worse = longer ? a : b;
    const double reward_better = reward(better, true, draws), reward_worse = reward(worse, false, draws);
    world.pairs.push_back(
        {.prompt = prompt, .better = reward_better, .worse = reward_worse, .longer = better - worse});
    for (const auto& [length, value] : {std::pair{better, reward_better}, {worse, reward_worse}}) {
      world.lengths.push_back(length);
      world.rewards.push_back(value);
      world.prompts.push_back(prompt);
    }
  }
  return world;
}

LengthBias bias_of(const World& world) {
  return *length_bias(world.pairs, world.lengths, world.rewards, world.prompts, 1);
}

TEST(RewardEvaluation, ARewardThatIsLengthIsToldSo) {
  const LengthBias bias = bias_of(world_of(0.7, [](double length, bool, RandomSequence&) { return length; }));
  EXPECT_NEAR(*bias.correlation, 1, 1e-9);
  EXPECT_EQ(bias.model.right, bias.longer.right);
  EXPECT_EQ(bias.gain.value, 0);
  EXPECT_NE(bias.warning.find("variance"), bias.warning.npos);
}

// The reward is noise: the longer one wins more often than it is right.
TEST(RewardEvaluation, AModelThatIsNoBetterThanItsRuleIsToldSo) {
  const LengthBias bias =
      bias_of(world_of(0.7, [](double, bool, RandomSequence& draws) { return draws.uniform(); }));
  EXPECT_LT(std::abs(*bias.correlation), 0.2);
  EXPECT_LT(bias.gain.interval.low, 0);
  EXPECT_NE(bias.warning.find("the longer one is better"), bias.warning.npos) << bias.warning;
}

TEST(RewardEvaluation, AModelThatSaysMoreThanLengthIsNot) {
  const LengthBias bias = bias_of(world_of(0.3, [](double, bool better, RandomSequence& draws) {
    return draws.uniform() + (better ? 0.6 : 0.0);
  }));
  EXPECT_GT(bias.gain.interval.low, 0);
  EXPECT_EQ(bias.shorter.right + bias.longer.right, bias.model.pairs);
  EXPECT_EQ(bias.warning, "");
}

TEST(RewardEvaluation, EqualLengthsSayNothing) {
  World world;
  world.pairs.assign(4, {.better = 1, .worse = 0});
  world.lengths.assign(8, 3);
  world.rewards = {1, 0, 1, 0, 1, 0, 1, 0};
  world.prompts = {0, 0, 1, 1, 2, 2, 3, 3};
  EXPECT_FALSE(length_bias(world.pairs, world.lengths, world.rewards, world.prompts, 1).has_value());
}

}  // namespace
}  // namespace keel
