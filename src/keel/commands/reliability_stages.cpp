// Commands that measure who judged, and whether enough was judged: feedback reliability, certify, influence.
#include <iostream>

#include "keel/base/files.h"
#include "keel/commands/stage.h"
#include "keel/feedback/certificate.h"
#include "keel/feedback/influence.h"
#include "keel/feedback/reliability.h"
#include "keel/feedback/store.h"

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
  };
}

}  // namespace keel
