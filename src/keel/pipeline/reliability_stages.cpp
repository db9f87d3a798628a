// Commands that measure who judged, and whether enough was judged: feedback reliability, certify, influence,
// choose.
#include <iostream>
#include <memory>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/log.h"
#include "keel/feedback/certificate.h"
#include "keel/feedback/choice.h"
#include "keel/feedback/influence.h"
#include "keel/feedback/reliability.h"
#include "keel/feedback/store.h"
#include "keel/pipeline/stages.h"
#include "keel/scoring/reward_model.h"
#include "keel/trainers/scorer_options.h"

namespace keel {
namespace {

using feedback::Access;
using feedback::open_store;

// Judgements of a store, and how what they say is told.
struct JudgedOptions : Options {
  std::string store, kinds = "human", output;
  bool json = false;

  void visit(OptionVisitor& v) override {
    v(&store, "store", "The feedback store.", required_input());
    v(&kinds, "kinds", "Whose judgements.", one_of({"human", "simulated", "ai", "all"}));
    v(&json, "json", "JSON instead of a table.");
    v(&output, "output", "A JSON file beside what is printed.", {.writes = true});
  }
  std::vector<feedback::JudgedRow> rows(feedback::Store& from) const {
    return from.judgements(feedback::kinds_named(kinds), from.last_event());
  }
  void tell(const std::string& text, const Json& figures) const {
    std::cout << (json ? json_text(figures, 2) + "\n" : text);
    if (!output.empty()) write_file_atomically(output, json_text(figures, 2) + "\n");
  }
};

struct ReliabilityStageOptions : JudgedOptions {
  double most_hostile = 0.75;
  void visit(OptionVisitor& v) override {
    JudgedOptions::visit(v);
    v(&most_hostile, "most_hostile",
      "The largest share of annotators that may be hostile: a camp that is larger is believed without gold "
      "items.",
      within(0.5, 1));
  }
};

void run_reliability(ReliabilityStageOptions& o) {
  const auto store = open_store(o.store, Access::read);
  const feedback::Reliability report =
      feedback::reliability(o.rows(*store), feedback::gold_rows(*store), {.most_hostile = o.most_hostile});
  o.tell(feedback::reliability_text(report), feedback::reliability_json(report));
}

// Two models of which one may be better.
struct RivalOptions : JudgedOptions {
  feedback::Rivals rivals;
  void visit(OptionVisitor& v) override {
    JudgedOptions::visit(v);
    v(&rivals.better, "better", "The model that may be better.", {.required = true});
    v(&rivals.than, "than", "The model that it is compared with.", {.required = true});
  }
};

struct CertifyOptions : RivalOptions {
  double confidence = 0.95;
  bool ask = false;
  void visit(OptionVisitor& v) override {
    RivalOptions::visit(v);
    v(&confidence, "confidence", "Of the answer, however often one looks.", within(0.5, 0.999999));
    v(&ask, "ask",
      "Have the page hand out tasks that give a vote first while it is undecided, and last once it is "
      "decided.");
  }
};

void run_certify(CertifyOptions& o) {
  const auto store = open_store(o.store, o.ask ? Access::write : Access::read);
  const feedback::ModelCertificate certificate =
      o.ask ? feedback::ask_until_decided(*store, feedback::kinds_named(o.kinds), o.rivals, o.confidence)
            : feedback::certify_models(o.rows(*store), o.rivals, o.confidence);
  o.tell(feedback::certificate_text(certificate) + "\n", feedback::certificate_json(certificate));
}

struct InfluenceOptions : RivalOptions {
  int64_t most_fits = 20000;
  void visit(OptionVisitor& v) override {
    RivalOptions::visit(v);
    v(&most_fits, "most_fits",
      "Sets of annotators that are tried by Bradley-Terry, smallest first; beyond, a bound is given.",
      at_least(0));
  }
};

void run_influence(InfluenceOptions& o) {
  const auto store = open_store(o.store, Access::read);
  const feedback::Influence found = feedback::influence(o.rows(*store), o.rivals, o.most_fits);
  o.tell(feedback::influence_text(found), feedback::influence_json(found));
}

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

std::vector<Stage> reliability_stages() {
  return {
      make_stage(
          "feedback reliability", "How far each annotator can be relied on, with the evidence.",
          "Accuracy by Dawid and Skene's model of comparisons, ability by Bradley-Terry over models, each "
          "with an interval; signs of copying, of preferring a place or a length, of answering faster than "
          "anybody reads, each with its count and a probability corrected for all who were asked. Nobody is "
          "dropped. Two camps that contradict each other cannot be told apart by labels: gold items (tasks "
          "with `gold` in their details) decide, or a bound on how many may be hostile.\n\n    keel feedback "
          "reliability --store feedback.db",
          &run_reliability),
      make_stage(
          "feedback certify", "Whether one model is better than another, or how many votes are missing.",
          "The answer holds however often one looks, so votes may be asked for until it is known and no "
          "longer. A vote is the first judgement of a prompt; ties are half a vote each.\n\n    keel "
          "feedback "
          "certify --store feedback.db --better new --than old --confidence 0.95",
          &run_certify),
      make_stage(
          "feedback influence", "How few annotators carry a conclusion, and what each one changes.",
          "The smallest number of annotators without whom one model is no longer better than another (the "
          "poison budget), by wins and by Bradley-Terry, and both measures without each annotator.\n\n    "
          "keel feedback influence --store feedback.db --better new --than old",
          &run_influence),
      make_stage("feedback choose", "Set which tasks are handed out first.",
                 "Rankings get priorities: at random, by what an answer would tell of the models' strengths "
                 "or by where reward models disagree, or by how unlike their prompts are to those that were "
                 "judged.\n\n    keel feedback choose --store feedback.db --by uncertain",
                 &run_choose),
  };
}

}  // namespace keel
