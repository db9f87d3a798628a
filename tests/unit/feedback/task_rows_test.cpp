#include "keel/feedback/task_rows.h"

#include <gtest/gtest.h>

#include "temporary_folder.h"

namespace keel::feedback {
namespace {

class TaskRows : public testing::Test {
 protected:
  TaskCounts add(const std::string& lines) {
    return add_task_rows(*store_, folder_.write("tasks.jsonl", lines));
  }
  TemporaryFolder folder_;
  std::unique_ptr<Store> store_ = open_store(folder_ / "feedback.db", Access::create);
};

TEST_F(TaskRows, EveryKindIsAddedOnce) {
  const std::string lines =
      R"({"kind": "ranking", "prompt": "p", "completions": ["a", {"text": "b", "model": "m"}, "c"], "copies": 2})"
      "\n\n"
      R"({"kind": "rating", "prompt": "p", "completions": ["a"], "details": {"dimensions": ["kind"], "scale": [1, 3]}})"
      "\n"
      R"({"kind": "demonstration", "prompt": "q", "priority": 2})"
      "\n";
  const TaskCounts counts = add(lines);
  EXPECT_EQ(counts.read, 3);
  EXPECT_EQ(counts.added, 3);
  EXPECT_EQ(add(lines).added, 0);
  EXPECT_EQ(store_->size().completions, 3);  // "a" is asked about twice
  const Task ranking = store_->task(1), rating = store_->task(2);
  EXPECT_EQ(ranking.copies, 2);
  EXPECT_EQ(store_->completion(ranking.completions[1]).model, "m");
  EXPECT_EQ(rating.completions[0], ranking.completions[0]);
  EXPECT_EQ(rating.details.at("dimensions"), Json({"kind"}));
  const int64_t who = store_->add_annotator({.name = "anna"});
  EXPECT_EQ(store_->claim({.annotator = who, .holder = "h"})->task, 3);  // of the highest priority
}

TEST_F(TaskRows, ABadLineIsNamedAndNothingIsAdded) {
  const std::string good = R"({"kind": "demonstration", "prompt": "p"})";
  for (const char* bad :
       {"{", "[]", R"({"kind": "demonstration"})", R"({"prompt": "p"})",
        R"({"kind": "haiku", "prompt": "p"})", R"({"kind": "ranking", "prompt": "p", "completions": ["a"]})",
        R"({"kind": "ranking", "prompt": "p", "completions": ["a", "a"]})",
        R"({"kind": "ranking", "prompt": "p", "completions": ["a", 7]})",
        R"({"kind": "ranking", "prompt": "p", "completions": ["a", ""]})",
        R"({"kind": "rating", "prompt": "p", "completions": ["a"], "details": {"scale": [5, 1]}})",
        R"({"kind": "rating", "prompt": "p", "completions": ["a"], "details": {"scale": "1-5"}})",
        R"({"kind": "rating", "prompt": "p", "completions": ["a"], "details": {"dimensions": "kind"}})",
        R"({"kind": "demonstration", "prompt": "p", "details": []})",
        R"({"kind": "demonstration", "prompt": "p", "copies": -1})"}) {
    const std::string message = message_of([&] { add(good + "\n" + bad + "\n"); });
    EXPECT_NE(message.find("tasks.jsonl:2] "), std::string::npos) << bad << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  EXPECT_EQ(store_->size().last_event, 0);
}

}  // namespace
}  // namespace keel::feedback
