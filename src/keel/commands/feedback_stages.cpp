// The commands that put judgements into a store, take them out, and measure them.
#include <iostream>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/log.h"
#include "keel/base/progress.h"
#include "keel/base/random.h"
#include "keel/commands/stage.h"
#include "keel/feedback/exchange.h"
#include "keel/feedback/labels.h"
#include "keel/feedback/leaderboard.h"
#include "keel/feedback/reliability_weights.h"
#include "keel/feedback/store.h"
#include "keel/feedback/summary.h"
#include "keel/feedback/target_rows.h"
#include "keel/rows/export.h"
#include "keel/rows/samples.h"
#include "keel/simulation/annotators.h"
#include "keel/simulation/gold.h"

namespace keel {
namespace {

using feedback::Access;
using feedback::open_store;

struct AnnotateOptions : Options {
  std::string samples, store;
  int64_t seed = 1;
  bool permute_labels = false;

  void visit(OptionVisitor& v) override {
    v(&samples, "samples", "Rows of keel sample, several completions of each prompt.", required_input());
    v(&store, "store", "The feedback store; made when missing, added to otherwise.", required_output());
    v(&permute_labels, "permute_labels", "A control: every ranking is replaced by a random one.");
    v(&seed, "seed", "Names every draw of the annotators.", at_least(0));
  }
};

// The ids of a prompt's completions in the store. Run again after a stop, what is there already is found, not
// added.
std::vector<int64_t> store_completions(feedback::Store& store, int64_t prompt, const SampledPrompt& sampled,
                                       const std::string& model) {
  std::vector<int64_t> ids;
  for (const feedback::Completion& known : store.completions_of(prompt))
    if (known.model == model) ids.push_back(known.id);
  for (size_t i = ids.size(); i < sampled.answers.size(); ++i) {
    const SampledAnswer& answer = sampled.answers[i];
    ids.push_back(store.add_completion({.prompt = prompt,
                                        .passage = {.text = answer.text, .ids = answer.ids, .has_ids = true},
                                        .model = model,
                                        .sampling = {{"finished", answer.finished}},
                                        .logps = answer.logps}));
  }
  return ids;
}

std::vector<int64_t> ranks_for(const Annotator& annotator, const SampledPrompt& sampled,
                               const AnnotateOptions& o, uint32_t index, uint32_t who) {
  std::vector<double> scores;
  for (const SampledAnswer& answer : sampled.answers)
    scores.push_back(gold(sampled.prompt, answer.text, answer.finished));
  if (o.permute_labels) {
    const RandomKey key{static_cast<uint64_t>(o.seed), Stream::permuted_labels, 0, index, who};
    RandomSequence random(key);
    for (double& score : scores) score = random.uniform() * 100;
  }
  const auto ranks =
      rank(annotator, scores, {.seed = static_cast<uint64_t>(o.seed), .prompt = index, .sample = who});
  return {ranks.begin(), ranks.end()};
}

// Each prompt goes to one of the demo's annotators in turn, whose reliability is known and kept in the store.
void run_annotate(AnnotateOptions& o) {
  const std::vector<SampledPrompt> prompts = read_samples(o.samples);
  const std::string model = sha256_of_file(o.samples).substr(0, 16);
  const auto store = open_store(o.store, Access::create);
  const std::vector<Annotator> annotators = demo_annotators();
  std::vector<int64_t> ids;
  for (const Annotator& a : annotators)
    ids.push_back(store->add_annotator({feedback::AnnotatorKind::simulated, a.name, annotator_json(a)}));
  Progress progress("annotate", "prompt", std::ssize(prompts));
  store->in_one_commit([&] {
    for (size_t i = 0; i < prompts.size(); ++i) {
      const auto who = static_cast<uint32_t>(i % annotators.size());
      const int64_t prompt = store->add_prompt({.text = prompts[i].prompt});
      const std::vector<int64_t> completions = store_completions(*store, prompt, prompts[i], model);
      const auto ranks = ranks_for(annotators[who], prompts[i], o, static_cast<uint32_t>(i), who);
      store->submit({.annotator = ids[who], .prompt = prompt, .completions = completions, .ranks = ranks},
                    "simulated:" + model + ":" + std::to_string(o.seed) + ":" + std::to_string(i));
      progress.update(static_cast<int64_t>(i) + 1);
    }
  });
}

struct StoreOptions : Options {
  std::string store;
  void visit(OptionVisitor& v) override { v(&store, "store", "The feedback store.", required_input()); }
};

struct ImportOptions : Options {
  std::string store, data, annotator, kind = "human", format = "auto";
  void visit(OptionVisitor& v) override {
    v(&store, "store", "The feedback store; made when missing.", required_output());
    v(&data, "data", "Rankings, preferences, ratings, labels, demonstrations or edits.", required_input());
    v(&format, "format", "How the file says what its rows are; auto looks at their fields.",
      {.choices = row_format_names()});
    v(&annotator, "annotator", "Whose judgements rows without an annotator are.");
    v(&kind, "kind", "What that annotator is.", one_of({"human", "simulated", "ai"}));
  }
};

// A file that is refused leaves no store behind that was not there before.
feedback::ImportCounts import_into(const ImportOptions& o,
                                   const std::optional<feedback::Annotator>& otherwise) {
  const bool fresh = !std::filesystem::exists(o.store);
  auto store = open_store(o.store, Access::create);
  try {
    return feedback::import_judgements(*store, o.data, otherwise, row_format(o.format, "--format"));
  } catch (...) {
    const bool empty = store->last_event() == 0;
    store.reset();
    if (fresh && empty)
      for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(o.store + suffix);
    throw;
  }
}

void run_import(ImportOptions& o) {
  std::optional<feedback::Annotator> otherwise;
  if (!o.annotator.empty())
    otherwise = feedback::Annotator{feedback::annotator_kind(o.kind, "--kind"), o.annotator};
  const feedback::ImportCounts counts = import_into(o, otherwise);
  Json refused = Json::object();
  for (const auto& [reason, count] : counts.refused) refused[reason] = count;
  std::cout << json_text({{"read", counts.read},
                          {"taken", counts.taken},
                          {"already_there", counts.already_there},
                          {"refused", refused}},
                         2)
            << "\n";
}

struct ExportOptions : StoreOptions {
  std::string output, kinds = "human", format = "keel", held_out, weigh = "none", targets = "none";
  double held_out_share = 0.1, most_hostile = 0.75;
  int64_t seed = 1, last_event = 0;
  bool pseudonyms = false;

  void visit(OptionVisitor& v) override {
    StoreOptions::visit(v);
    v(&kinds, "kinds", "Whose judgements: they are never mixed in silence.",
      one_of({"human", "simulated", "ai", "all"}));
    v(&last_event, "last_event", "Judgements up to this event; 0: all there are.", at_least(0));
    v(&held_out, "held_out", "A second file for a share of the prompts, kept apart for measuring.",
      {.writes = true});
    v(&held_out_share, "held_out_share", "That share.", within(0, 1));
    v(&seed, "seed", "Which prompts are held out.", at_least(0));
    v(&weigh, "weigh",
      "What a comparison or a label counts: the same (none), or by how far its annotators can be relied on "
      "(reliability), which turns around what hostile ones said.",
      one_of({"none", "reliability"}));
    v(&most_hostile, "most_hostile",
      "With --weigh reliability: the largest share of annotators that may be hostile; a larger camp is "
      "believed without gold items.",
      within(0.5, 1));
    v(&targets, "targets",
      "Numbers to learn instead of judgements: what each completion's rankings amount to (elo, "
      "bradley_terry), or ratings by each annotator's own scale (standardised_ratings).",
      one_of({"none", "elo", "bradley_terry", "standardised_ratings"}));
    v(&format, "format",
      "The rows of all judgements that have some (keel), or the pairs of rankings as TRL reads preferences "
      "(trl).",
      one_of({"keel", "trl"}));
    v(&pseudonyms, "pseudonyms", "People under names that tell them apart and no more.");
    v(&output, "output", "The file of rows.", required_output());
  }
  void check() const override {
    if (targets != "none" && (weigh != "none" || !held_out.empty() || format != "keel"))
      throw UsageError("--targets", "expected neither --weigh, --held-out nor --format beside it");
  }
};

// A prompt is held out by a draw that its text names, so new judgements of it land on the same side.
bool is_held_out(const std::string& prompt, const ExportOptions& o) {
  const std::string hash = sha256(prompt);
  const auto word = static_cast<uint32_t>(std::stoul(hash.substr(0, 8), nullptr, 16));
  return uniform({static_cast<uint64_t>(o.seed), Stream::selection, 0, word}) < o.held_out_share;
}

// "4 rankings, 2 labels"; "nothing".
std::string counted(const std::map<feedback::JudgementType, int64_t>& counts) {
  std::string text;
  for (const auto& [type, count] : counts)
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + feedback::judgement_type_name(type) +
            (count == 1 ? "" : "s");
  return text.empty() ? "nothing" : text;
}

// What was written as Keel's rows again as TRL's preferences, a line for each strictly ordered pair.
void rewrite_for_trl(const std::string& path) {
  const RowsWritten written = write_rows(read_rows(path, RowFormat::keel).rows, RowFormat::trl, path);
  std::string left_out;
  for (const auto& [reason, count] : written.left_out)
    left_out += "; " + std::to_string(count) + " left out: " + reason;
  log_info(std::to_string(written.lines) + " pairs in " + path + left_out);
}

void run_export(ExportOptions& o) {
  const auto store = open_store(o.store, Access::read);
  const int64_t event = o.last_event > 0 ? o.last_event : store->last_event();
  const feedback::Kinds kinds = feedback::kinds_named(o.kinds);
  if (const auto targets = feedback::targets_named(o.targets); targets != feedback::Targets::none) {
    const int64_t written = feedback::write_target_rows(store->judgements(kinds, event), targets, o.output);
    log_info(std::to_string(written) + " rows of numbers up to event " + std::to_string(event));
    return;
  }
  feedback::ExportOptions wanted{.names = o.pseudonyms ? feedback::Names::pseudonyms : feedback::Names::own};
  if (o.weigh == "reliability")
    wanted.weight = feedback::weight_by_reliability(*store, store->judgements(kinds, event), o.most_hostile);
  const auto counts = feedback::export_judgements(*store, kinds, event, o.output, wanted);
  if (!o.held_out.empty()) {
    std::string kept, held;
    for_each_line(o.output, [&](std::string_view line, int64_t number) {
      const Json row = parse_json(line, o.output + ":" + std::to_string(number));
      (is_held_out(json_get<std::string>(row, "prompt", "", o.output), o) ? held : kept) +=
          std::string(line) + "\n";
    });
    write_file_atomically(o.held_out, held);
    write_file_atomically(o.output, kept);
  }
  log_info(counted(counts.written) + " up to event " + std::to_string(event) +
           "; not written: " + counted(counts.left_out));
  if (o.format == "keel") return;
  rewrite_for_trl(o.output);
  if (!o.held_out.empty()) rewrite_for_trl(o.held_out);
}

// To the file that is named, else to standard output.
void give(const std::string& output, const Json& figures) {
  const std::string text = json_text(figures, 2) + "\n";
  if (output.empty())
    std::cout << text;
  else
    write_file_atomically(output, text);
}

struct StatsOptions : StoreOptions {
  std::string kinds = "all", output;
  void visit(OptionVisitor& v) override {
    StoreOptions::visit(v);
    v(&kinds, "kinds", "Whose judgements.", one_of({"human", "simulated", "ai", "all"}));
    v(&output, "output", "A JSON file; default: standard output.", {.writes = true});
  }
};

void run_stats(StatsOptions& o) {
  const auto store = open_store(o.store, Access::read);
  const auto rows = store->judgements(feedback::kinds_named(o.kinds), store->last_event());
  give(o.output, feedback::summary_json(feedback::summarise(rows)));
}

// Judgements of some annotators, measured with bootstraps.
struct MeasureOptions : StoreOptions {
  std::string kinds = "human", output;
  int64_t seed = 1, resamples = 1000;
  void visit(OptionVisitor& v) override {
    StoreOptions::visit(v);
    v(&kinds, "kinds", "Whose judgements.", one_of({"human", "simulated", "ai", "all"}));
    v(&resamples, "resamples", "Of the bootstrap.", at_least(2));
    v(&seed, "seed", "Of the bootstrap.", at_least(0));
    v(&output, "output", "A JSON file.", {.writes = true});
  }
  Bootstrap bootstrap() const { return {.seed = static_cast<uint64_t>(seed), .resamples = resamples}; }
  std::vector<feedback::JudgedRow> rows(feedback::Store& from) const {
    return from.judgements(feedback::kinds_named(kinds), from.last_event());
  }
};

void run_agreement(MeasureOptions& o) {
  const auto store = open_store(o.store, Access::read);
  give(o.output, feedback::agreement_json(o.rows(*store), o.bootstrap()));
}

struct EloStageOptions : MeasureOptions {
  EloOptions elo = {};
  void visit(OptionVisitor& v) override {
    MeasureOptions::visit(v);
    v(&elo.k, "k", "The most points that one battle moves (Elo).", at_least(0));
    v(&elo.scale.scale, "scale", "Points that make odds of base to 1.", at_least(1));
    v(&elo.scale.base, "base", "Those odds.", at_least(1.001));
    v(&elo.scale.initial, "initial", "The rating of who has not played.");
  }
};

void run_elo(EloStageOptions& o) {
  const auto store = open_store(o.store, Access::read);
  const feedback::Leaderboard board =
      feedback::leaderboard(o.rows(*store), store->models(), o.elo, o.bootstrap());
  std::cout << feedback::leaderboard_text(board);
  if (!o.output.empty()) give(o.output, feedback::leaderboard_json(board));
}

}  // namespace

std::vector<Stage> feedback_stages() {
  return {
      make_stage("annotate", "Have simulated annotators of known reliability rank samples into a store.",
                 "Each prompt's completions are ranked by one of three simulated annotators, who see the "
                 "gold judge's score through noise. Their judgements are marked as simulated.\n\n    keel "
                 "annotate --samples samples.jsonl --store feedback.db",
                 &run_annotate),
      make_stage("feedback import", "Take judgements from a file into a store.",
                 "Every row that is refused is counted with its reason. Rows that name no annotator need "
                 "`--annotator`.\n\n    keel feedback import --store feedback.db --data rankings.jsonl "
                 "--annotator anna",
                 &run_import),
      make_stage("feedback export", "Write a store's judgements as rows to train on.",
                 "Human, simulated and AI judgements are never mixed in silence: `--kinds` says which. "
                 "`--held-out` keeps a share of the prompts apart, the same ones whenever it is run.\n\n    "
                 "keel feedback export --store feedback.db --kinds simulated --output rankings.jsonl",
                 &run_export),
      make_stage("feedback stats", "Counts, agreement and position bias of a store's judgements.",
                 "Agreement and position bias come with counts and Wilson intervals.\n\n    keel feedback "
                 "stats --store feedback.db",
                 &run_stats),
      make_stage(
          "feedback agreement", "How far annotators agree, beyond what chance would give.",
          "Percent agreement, Krippendorff's alpha, Fleiss' and Cohen's kappa of comparisons, labels and "
          "ratings, each with an interval over items and their count.\n\n    keel feedback agreement "
          "--store feedback.db",
          &run_agreement),
      make_stage(
          "feedback elo", "Which model annotators preferred: Elo, Bradley-Terry, a matrix of wins.",
          "Ratings come with counts and intervals that resample prompts. A model whose parent the store "
          "knows (`keel feedback ask --parents`) is compared with it: better, worse, or no difference "
          "that the judgements show.\n\n    keel feedback elo --store feedback.db --output elo.json",
          &run_elo),
  };
}

}  // namespace keel
