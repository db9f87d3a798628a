// The command that sets which tasks are handed out first, by reward models where some are given.
#include <memory>

#include "keel/base/error.h"
#include "keel/base/log.h"
#include "keel/feedback/choice.h"
#include "keel/feedback/store.h"
#include "keel/pipeline/stages.h"
#include "keel/scoring/reward_model.h"
#include "keel/trainers/scorer_options.h"

namespace keel {
namespace {

using feedback::Access;
using feedback::open_store;

struct ChooseOptions : Options {
  std::string store, kinds = "human", by = "uncertain";
  std::vector<std::string> reward_models;
  int64_t seed = 1;
  void visit(OptionVisitor& v) override {
    v(&store, "store", "The feedback store.", required_output());
    v(&by, "by", "What is asked first: any task, what would tell most, or what is unlike what was asked.",
      one_of({"random", "uncertain", "diverse"}));
    v(&reward_models, "reward_models",
      "With --by uncertain: reward models whose disagreement says what would tell most (folders, or a run of "
      "`keel reward --members`); default: Bradley-Terry strengths of the store's models.",
      input());
    v(&kinds, "kinds", "Whose judgements say what is known.", one_of({"human", "simulated", "ai", "all"}));
    v(&seed, "seed", "Of the random order.", at_least(0));
  }
  void check() const override {
    if (!reward_models.empty() && by != "uncertain")
      throw UsageError("--reward-models", "expected --by uncertain beside it, got " + by);
  }
};

// Rewards of a task's completions, a list for each model.
feedback::MemberScores member_scores(const std::vector<std::string>& reward_models) {
  if (reward_models.empty()) return {};
  ScorerOptions scorer;
  scorer.models = reward_models;
  auto members = std::make_shared<std::vector<RewardModel>>();
  for (Model& model : scorer.open(Compute())) members->emplace_back(std::move(model), "");
  if (members->size() < 2)
    throw UsageError("--reward-models", "expected two or more, which can disagree, got one");
  return [members](const Passage& prompt, const std::vector<feedback::Completion>& completions) {
    std::vector<ScoredSample> samples;
    for (const feedback::Completion& completion : completions)
      samples.push_back({.prompt_text = prompt.text,
                         .completion_text = completion.passage.text,
                         .prompt_ids = {},
                         .completion_ids = {},
                         .finished = json_get<bool>(completion.sampling, "finished", true, "store")});
    std::vector<std::vector<double>> rewards;
    for (RewardModel& member : *members) {
      std::vector<Score> scores(samples.size());
      member.score(samples, scores);
      auto& of_member = rewards.emplace_back();
      for (const Score& score : scores) of_member.push_back(score.reward);
    }
    return rewards;
  };
}

void run_choose(ChooseOptions& o) {
  const auto store = open_store(o.store, Access::write);
  const int64_t tasks = feedback::choose_tasks(*store, {.by = feedback::choose_by(o.by),
                                                        .kinds = feedback::kinds_named(o.kinds),
                                                        .seed = static_cast<uint64_t>(o.seed),
                                                        .members = member_scores(o.reward_models)});
  log_info(std::to_string(tasks) + " rankings will be handed out by " + o.by);
}

}  // namespace

std::vector<Stage> choice_stages() {
  return {
      make_stage("feedback choose", "Set which tasks are handed out first.",
                 "Rankings get priorities: at random, by what an answer would tell of the models' strengths "
                 "or by where reward models disagree, or by how unlike their prompts are to those that were "
                 "judged.\n\n    keel feedback choose --store feedback.db --by uncertain",
                 &run_choose),
  };
}

}  // namespace keel
