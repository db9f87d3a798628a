#include "keel/feedback/certificate.h"

#include <gtest/gtest.h>

#include "feedback/judged_pairs.h"
#include "temporary_folder.h"

namespace keel::feedback {
namespace {

// "new" wrote the first text of every pair; these say which one is better.
JudgedRow vote(int64_t annotator, int64_t prompt, std::vector<int64_t> ranks) {
  JudgedRow row = judged_pair(annotator, prompt, true);
  row.judgement.ranks = std::move(ranks);
  return row;
}

TEST(Certificate, CountsOneVoteAPromptAndTiesAsHalves) {
  const std::vector<JudgedRow> rows = {vote(1, 1, {1, 2}), vote(2, 1, {2, 1}), vote(1, 2, {1, 1}),
                                       vote(1, 3, {2, 1})};
  const ModelCertificate found = certify_models(rows, {"new", "old"}, 0.95);
  EXPECT_EQ(found.votes.votes, 3);
  EXPECT_EQ(found.later_judgements, 1);
  EXPECT_DOUBLE_EQ(found.votes.rate, 0.5);
  EXPECT_EQ(certify_models(rows, {"old", "third"}, 0.95).votes.votes, 0);
}

TEST(Certificate, TheOtherWayRoundIsTheContrary) {
  std::vector<JudgedRow> rows;
  for (int64_t prompt = 0; prompt < 12; ++prompt) rows.push_back(vote(1, prompt, {1, 2}));
  const ModelCertificate better = certify_models(rows, {"new", "old"}, 0.95);
  EXPECT_EQ(better.votes.verdict, Verdict::better);
  EXPECT_EQ(certify_models(rows, {"old", "new"}, 0.95).votes.verdict, Verdict::worse);
  EXPECT_EQ(certificate_text(better).substr(0, 55),
            "better at 95 %: new against old wins 1.000 (0.669 to 1.");
  EXPECT_EQ(certificate_json(better).at("decided_after"), 7);
}

TEST(Certificate, APageAsksForFreshPromptsOnlyUntilItIsDecided) {
  const TemporaryFolder folder;
  const auto store = open_store((folder / "feedback.db").string(), Access::create);
  const int64_t who = store->add_annotator({.name = "anna"});
  std::vector<int64_t> prompts;
  for (int i = 0; i < 20; ++i) {
    const int64_t prompt = store->add_prompt({.text = "Question " + std::to_string(i)});
    for (const char* model : {"new", "old", "third"})
      store->add_completion({.prompt = prompt, .passage = {.text = model}, .model = model});
    const auto all = store->completions_of(prompt);
    store->add_task({.prompt = prompt, .completions = {all[0].id, all[1].id}, .copies = 2});
    store->add_task({.prompt = prompt, .completions = {all[0].id, all[2].id}, .copies = 2});
    prompts.push_back(prompt);
  }
  ModelCertificate found;
  int64_t asked = 0;
  for (; asked < 20; ++asked) {
    found = ask_until_decided(*store, Kinds::human, {"new", "old"}, 0.95);
    const auto lease = store->claim({.annotator = who, .holder = "page", .now = 1000});
    const Task task = store->task(lease->task);
    const bool is_rival = store->completion(task.completions[1]).model == "old";
    EXPECT_EQ(is_rival, found.votes.verdict == Verdict::undecided);
    if (!is_rival) break;
    store->submit({.annotator = who,
                   .prompt = task.prompt,
                   .task = task.id,
                   .completions = task.completions,
                   .ranks = {1, 2}},
                  std::to_string(task.id));
  }
  EXPECT_EQ(found.votes.verdict, Verdict::better);
  EXPECT_EQ(asked, 7);
  EXPECT_EQ(
      tasks_for_votes(*store, store->judgements(Kinds::human, store->last_event()), {"new", "old"}).size(),
      13u);
}

}  // namespace
}  // namespace keel::feedback
