#include "keel/server/board.h"

#include <gtest/gtest.h>

#include "temporary_folder.h"

namespace keel {
namespace {

using feedback::JudgementType;
using feedback::Kinds;

class BoardTest : public testing::Test {
 protected:
  BoardTest()
      : store_(feedback::open_store(folder_ / "feedback.db", feedback::Access::create)), board_(*store_) {
    prompt_ = store_->add_prompt({.text = "**Which** one?"});
    for (const char* model : {"sft", "ppo"})
      completions_.push_back(store_->add_completion(
          {.prompt = prompt_, .passage = {.text = std::string("by ") + model}, .model = model}));
    task_ = store_->add_task({.prompt = prompt_, .completions = completions_, .copies = 3});
    anna_ = store_->add_annotator({.name = "anna"});
  }
  void rank(const std::string& who, std::vector<int64_t> ranks,
            feedback::AnnotatorKind kind = feedback::AnnotatorKind::human) {
    store_->submit({.annotator = store_->add_annotator({.kind = kind, .name = who}),
                    .prompt = prompt_,
                    .task = task_,
                    .completions = completions_,
                    .ranks = std::move(ranks),
                    .seconds = 12},
                   who);
  }
  Json overview(Kinds kinds = Kinds::human) { return board_.overview(kinds, std::time(nullptr)); }

  TemporaryFolder folder_;
  std::unique_ptr<feedback::Store> store_;
  Board board_;
  int64_t prompt_ = 0, task_ = 0, anna_ = 0;
  std::vector<int64_t> completions_;
};

TEST_F(BoardTest, AnEmptyStoreHasABoard) {
  const Json board = overview();
  EXPECT_EQ(board["judgements"], 0);
  EXPECT_EQ(board["missing"], 3);
  EXPECT_EQ(board["hours"].size(), 48u);
  EXPECT_TRUE(board["leaderboard"].is_null());
  for (const char* list : {"annotators", "times", "agreement", "disagreements", "leases"})
    EXPECT_EQ(board[list], Json::array()) << list;
}

TEST_F(BoardTest, FollowsTheStore) {
  store_->claim({.annotator = anna_, .holder = "h", .now = std::time(nullptr), .seconds = 600});
  const Json before = overview();
  ASSERT_EQ(before["leases"].size(), 1u);
  EXPECT_EQ(before["leases"][0]["annotator"], "anna");
  EXPECT_EQ(before["leases"][0]["task"], task_);
  EXPECT_NEAR(before["leases"][0]["seconds_left"].get<double>(), 600, 5);
  rank("anna", {2, 1});
  rank("bert", {1, 2});
  const Json after = overview();
  EXPECT_EQ(after["leases"].size(), 0u);
  EXPECT_EQ(after["judgements"], 2);
  EXPECT_EQ(after["missing"], 1);
  EXPECT_EQ(after["hours"][47]["judgements"].get<int>() + after["hours"][46]["judgements"].get<int>(), 2);
  EXPECT_EQ(after["annotators"][0]["name"], "anna");
  EXPECT_EQ(after["annotators"][0]["median_seconds"], 12);
  EXPECT_EQ(after["times"][0]["task"], "ranking of 2");
  EXPECT_EQ(after["agreement"][0]["percent"]["value"], 0);
  EXPECT_EQ(after["disagreements"][0]["task"], task_);
  EXPECT_EQ(after["disagreements"][0]["share"], 1);
  EXPECT_EQ(after["leaderboard"]["models"].size(), 2u);
}

TEST_F(BoardTest, KindsAreNeverMixedInSilence) {
  rank("anna", {2, 1});
  rank("careful", {1, 2}, feedback::AnnotatorKind::simulated);
  EXPECT_EQ(overview(Kinds::human)["judgements"], 1);
  EXPECT_EQ(overview(Kinds::simulated)["annotators"][0]["name"], "careful");
  EXPECT_EQ(overview(Kinds::all)["judgements"], 2);
}

TEST_F(BoardTest, ATaskComesWithAllThatWasSaidOfIt) {
  rank("anna", {2, 1});
  store_->submit(
      {.annotator = anna_, .prompt = prompt_, .task = task_, .type = JudgementType::comment, .text = "hm"},
      "comment");
  const Json task = board_.task(task_);
  EXPECT_EQ(task["kind"], "ranking");
  EXPECT_EQ(task["html"], "<p><strong>Which</strong> one?</p>\n");
  EXPECT_EQ(task["completions"][1]["model"], "ppo");
  ASSERT_EQ(task["judgements"].size(), 2u);
  EXPECT_EQ(task["judgements"][0]["ranks"], (Json{2, 1}));
  EXPECT_EQ(task["judgements"][1]["text"], "hm");
  EXPECT_THROW(board_.task(99), feedback::Refused);
}

TEST_F(BoardTest, AnOpeningIsCutBetweenCharacters) {
  const std::string accents(120, 'x');
  const int64_t prompt = store_->add_prompt({.text = accents.substr(0, 119) + "\xC3\xA9" + accents});
  const int64_t completion = store_->add_completion({.prompt = prompt, .passage = {.text = "a"}});
  const int64_t task =
      store_->add_task({.kind = feedback::TaskKind::label, .prompt = prompt, .completions = {completion}});
  for (const bool label : {true, false})
    store_->submit({.annotator = store_->add_annotator({.name = label ? "anna" : "bert"}),
                    .prompt = prompt,
                    .task = task,
                    .type = JudgementType::label,
                    .completions = {completion},
                    .label = label},
                   label ? "yes" : "no");
  EXPECT_EQ(overview()["disagreements"][0]["prompt"], accents.substr(0, 119) + "…");
}

}  // namespace
}  // namespace keel
