#include "keel/feedback/leaderboard.h"

#include <gtest/gtest.h>

#include <cmath>

#include "temporary_folder.h"

namespace keel::feedback {
namespace {

// `wins` of `prompts` prompts on which the first model's text was preferred; one judgement each.
class Battles {
 public:
  void add(const std::string& first, const std::string& second, int wins, int prompts, int ties = 0) {
    for (int i = 0; i < prompts; ++i) {
      JudgedRow row;
      row.judgement = {.annotator = i % 3, .prompt = next_prompt_++};
      row.judgement.ranks = i < ties          ? std::vector<int64_t>{1, 1}
                            : i < ties + wins ? std::vector<int64_t>{1, 2}
                                              : std::vector<int64_t>{2, 1};
      row.completions = {{.passage = {.text = "a"}, .model = first},
                         {.passage = {.text = "b"}, .model = second}};
      row.judgement.completions = {1, 2};
      rows_.push_back(row);
    }
  }
  const std::vector<JudgedRow>& rows() const { return rows_; }

 private:
  std::vector<JudgedRow> rows_;
  int64_t next_prompt_ = 1;
};

const Standing& standing_of(const Leaderboard& board, const std::string& model) {
  for (const Standing& standing : board.standings)
    if (standing.model == model) return standing;
  throw std::runtime_error("no " + model);
}

TEST(Leaderboard, TwoModelsDifferByTheLogOddsOfTheirWins) {
  Battles battles;
  battles.add("ppo", "sft", 60, 80);
  const Leaderboard board =
      leaderboard(battles.rows(), {{.name = "sft"}, {.name = "ppo", .parent = "sft"}}, {}, {});
  const Standing& ppo = standing_of(board, "ppo");
  const double points = 400 * std::log10(3);  // 60 : 20
  ASSERT_TRUE(ppo.has_gain);
  EXPECT_NEAR(ppo.gain.value, points, 1e-6);
  EXPECT_NEAR(ppo.points.value, 1000 + points / 2, 1e-6);
  EXPECT_LT(ppo.gain.interval.low, points);
  EXPECT_GT(ppo.gain.interval.low, 80);
  EXPECT_LT(ppo.gain.interval.high, 320);
  EXPECT_EQ(verdict_of(ppo.gain), "better");
  EXPECT_EQ(board.standings[0].model, "ppo");
  EXPECT_FALSE(standing_of(board, "sft").has_gain);
  EXPECT_EQ(board.battles, 80);
  EXPECT_EQ(board.prompts, 80);
  EXPECT_EQ(board.annotators, 3);
  EXPECT_EQ(board.prior_deviation, 0);
}

TEST(Leaderboard, NoiseIsCalledNoiseAndALossALoss) {
  Battles battles;
  battles.add("ppo", "sft", 22, 40);
  battles.add("worse", "ppo", 5, 60);
  const std::vector<Model> models = {
      {.name = "sft"}, {.name = "ppo", .parent = "sft"}, {.name = "worse", .parent = "ppo"}};
  const Leaderboard board = leaderboard(battles.rows(), models, {}, {});
  EXPECT_EQ(verdict_of(standing_of(board, "ppo").gain), "no difference that the judgements show");
  EXPECT_EQ(verdict_of(standing_of(board, "worse").gain), "worse");
  const std::string text = leaderboard_text(board);
  EXPECT_NE(text.find("over ppo: worse"), std::string::npos) << text;
  EXPECT_NE(text.find("over sft: no difference"), std::string::npos) << text;
}

TEST(Leaderboard, WhoNeverLostIsHeldByAStatedPrior) {
  Battles battles;
  battles.add("strong", "weak", 20, 20);
  const Leaderboard board = leaderboard(battles.rows(), {}, {}, {});
  EXPECT_GT(board.prior_deviation, 0);
  EXPECT_TRUE(std::isfinite(board.standings[0].points.value));
  EXPECT_NE(leaderboard_text(board).find("a prior holds those who never lost"), std::string::npos);
}

TEST(Leaderboard, PairsOfOneModelOfNoneAndOfEqualTextsAreNoBattle) {
  JudgedRow row;
  row.judgement = {.annotator = 1, .prompt = 1, .completions = {1, 2, 3, 4, 5}, .ranks = {1, 2, 3, 4, 4}};
  for (const auto& [text, model] : std::vector<std::pair<std::string, std::string>>{
           {"a", "x"}, {"b", "x"}, {"b", "y"}, {"c", ""}, {"d", "y"}})
    row.completions.push_back({.passage = {.text = text}, .model = model});
  const ModelBattles battles = model_battles({row});
  EXPECT_EQ(battles.models, (std::vector<std::string>{"x", "y"}));
  ASSERT_EQ(battles.battles.size(), 3u);  // a-b', a-d, b-d
  for (const Battle& battle : battles.battles) EXPECT_EQ(battle.outcome, 1);
  EXPECT_NE(message_of([] { leaderboard({}, {}, {}, {}); }).find("compare two models"), std::string::npos);
}

TEST(Leaderboard, TiesAreHalfWinsAndTheMatrixCountsThem) {
  Battles battles;
  battles.add("a", "b", 10, 30, 10);
  const Leaderboard board = leaderboard(battles.rows(), {}, {}, {});
  EXPECT_NEAR(board.standings[0].points.value, board.standings[1].points.value, 1e-9);
  const WinCell& cell = board.matrix[1];
  EXPECT_EQ(cell.wins, 10);
  EXPECT_EQ(cell.ties, 10);
  EXPECT_EQ(cell.losses, 10);
}

}  // namespace
}  // namespace keel::feedback
