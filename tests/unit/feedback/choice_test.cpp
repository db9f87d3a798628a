#include "keel/feedback/choice.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "temporary_folder.h"

namespace keel::feedback {
namespace {

// Tasks "model against model" on prompts of their own, and what is handed out first.
class Choice : public ::testing::Test {
 protected:
  int64_t add_task(const std::string& text, const std::string& first, const std::string& second) {
    const int64_t prompt = store_->add_prompt({.text = text});
    std::vector<int64_t> ids;
    for (const std::string& model : {first, second})
      ids.push_back(
          store_->add_completion({.prompt = prompt, .passage = {.text = "by " + model}, .model = model}));
    return store_->add_task({.prompt = prompt, .completions = ids, .copies = 1});
  }
  void judge(int64_t id, std::vector<int64_t> ranks) {
    const Task task = store_->task(id);
    store_->submit({.annotator = store_->add_annotator({.name = "anna"}),
                    .prompt = task.prompt,
                    .task = id,
                    .completions = task.completions,
                    .ranks = std::move(ranks)},
                   "task " + std::to_string(id));
  }
  int64_t next() {
    const int64_t who = store_->add_annotator({.name = "ben"});
    store_->release(who, "page");
    return store_->claim({.annotator = who, .holder = "page", .now = 1})->task;
  }
  TemporaryFolder folder_;
  std::unique_ptr<Store> store_ = open_store((folder_ / "feedback.db").string(), Access::create);
};

TEST_F(Choice, UncertainAsksForModelsThatNobodyCompared) {
  for (int i = 0; i < 10; ++i) judge(add_task("known " + std::to_string(i), "a", "b"), {1, 2});
  add_task("one more", "a", "b");
  const int64_t unknown = add_task("new", "b", "c");
  EXPECT_EQ(choose_tasks(*store_, {.by = ChooseBy::uncertain}), 12);
  EXPECT_EQ(next(), unknown);
}

TEST_F(Choice, UncertainAsksWhereRewardModelsDisagree) {
  const int64_t agreed = add_task("agreed", "a", "b"), disputed = add_task("disputed", "a", "b");
  const auto members = [](const Passage& prompt, const std::vector<Completion>&) {
    const double other = prompt.text == "agreed" ? 1 : -1;
    return std::vector<std::vector<double>>{{1, 0}, {other, 0}};
  };
  choose_tasks(*store_, {.by = ChooseBy::uncertain, .members = members});
  EXPECT_EQ(next(), disputed);
  EXPECT_NE(next(), agreed);
}

TEST_F(Choice, DiverseAsksForPromptsUnlikeThoseThatWereJudged) {
  judge(add_task("how do I bake bread", "a", "b"), {1, 2});
  add_task("how do I bake cake", "a", "b");
  const int64_t other = add_task("prove that primes never end", "a", "b");
  choose_tasks(*store_, {.by = ChooseBy::diverse});
  EXPECT_EQ(next(), other);
}

TEST_F(Choice, WithoutModelsNothingIsKnownToBeUncertain) {
  EXPECT_EQ(choose_tasks(*store_, {.by = ChooseBy::uncertain}), 0);  // nothing is asked
  const int64_t prompt = store_->add_prompt({.text = "Question"});
  const int64_t a = store_->add_completion({.prompt = prompt, .passage = {.text = "a"}}),
                b = store_->add_completion({.prompt = prompt, .passage = {.text = "b"}});
  store_->add_task({.prompt = prompt, .completions = {a, b}});
  EXPECT_THROW(choose_tasks(*store_, {.by = ChooseBy::uncertain}), Error);
  EXPECT_EQ(choose_tasks(*store_, {.by = ChooseBy::random}), 1);
}

}  // namespace
}  // namespace keel::feedback
