// Commands that keep a feedback store: what people are asked, what they are told, what is taken out on
// request, archives.
#include <algorithm>
#include <iostream>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/log.h"
#include "keel/commands/stage.h"
#include "keel/feedback/backup.h"
#include "keel/feedback/lineage.h"
#include "keel/feedback/store.h"
#include "keel/feedback/task_rows.h"
#include "keel/rows/samples.h"

namespace keel {
namespace {

using feedback::Access;
using feedback::open_store;

// "name=value". Errors: UsageError anything else.
std::pair<std::string, std::string> named_value(const std::string& text, const std::string& flag,
                                                const char* expected) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    throw UsageError(flag, std::string("expected ") + expected + ", got " + text);
  return {text.substr(0, equals), text.substr(equals + 1)};
}

struct AskOptions : Options {
  std::string store, tasks;
  std::vector<std::string> samples, parents;
  int64_t width = 4, copies = 1;

  void visit(OptionVisitor& v) override {
    v(&store, "store", "The feedback store; made when missing, added to otherwise.", required_output());
    v(&samples, "samples", "Rows of keel sample, each file as model=path.", input());
    v(&tasks, "tasks",
      "Questions of other kinds: ratings, labels, texts to write, gold items (docs/FORMATS.md).", input());
    v(&parents, "parents", "What a model was trained from, each as model=parent.");
    v(&width, "width", "Completions a ranking, at most.", within(2, 9));
    v(&copies, "copies", "Annotators that a ranking asks for; 0: everyone.", at_least(0));
  }
  void check() const override {
    if (samples.empty() && tasks.empty())
      throw UsageError("--samples", "expected --samples or --tasks, got neither");
  }
};

// A model's completions of one prompt. Run again after a stop, what is there already is found, not added.
void add_answers(feedback::Store& store, int64_t prompt, const SampledPrompt& sampled,
                 const std::string& model) {
  const std::vector<feedback::Completion> all = store.completions_of(prompt);
  const auto known = std::count_if(all.begin(), all.end(),
                                   [&](const feedback::Completion& one) { return one.model == model; });
  for (auto i = static_cast<size_t>(known); i < sampled.answers.size(); ++i) {
    const SampledAnswer& answer = sampled.answers[i];
    store.add_completion({.prompt = prompt,
                          .passage = {.text = answer.text, .ids = answer.ids, .has_ids = true},
                          .model = model,
                          .sampling = {{"finished", answer.finished}},
                          .logps = answer.logps});
  }
}

void run_ask(AskOptions& o) {
  std::vector<std::pair<std::string, std::vector<SampledPrompt>>> models;
  for (const std::string& text : o.samples) {
    const auto [model, path] = named_value(text, "--samples", "model=path");
    models.emplace_back(model, read_samples(path));
  }
  const auto store = open_store(o.store, Access::create);
  int64_t asked = 0;
  store->in_one_commit([&] {
    for (const std::string& text : o.parents) {
      const auto [model, parent] = named_value(text, "--parents", "model=parent");
      store->add_model({.name = parent});
      store->add_model({.name = model, .parent = parent});
    }
    for (const auto& [model, prompts] : models)
      for (const SampledPrompt& sampled : prompts)
        add_answers(*store, store->add_prompt({.text = sampled.prompt}), sampled, model);
    if (!models.empty()) asked = store->add_rankings(o.width, o.copies);
    if (!o.tasks.empty()) asked += feedback::add_task_rows(*store, o.tasks).added;
  });
  log_info(std::to_string(asked) + (o.tasks.empty() ? " new rankings asked for" : " new tasks asked for"));
}

struct GuidelinesOptions : Options {
  std::string store, text;
  void visit(OptionVisitor& v) override {
    v(&store, "store", "The feedback store; made when missing.", required_output());
    v(&text, "text", "A Markdown file: what annotators are told.", required_input());
  }
};

void run_guidelines(GuidelinesOptions& o) {
  const int64_t version = open_store(o.store, Access::create)->add_guidelines(read_file(o.text));
  log_info("guidelines, version " + std::to_string(version) + ": stamped on every judgement from now on");
}

struct RedactOptions : Options {
  std::string store, kind, reason, requested_by;
  int64_t id = 0;
  void visit(OptionVisitor& v) override {
    v(&store, "store", "The feedback store.", required_output());
    v(&kind, "kind", "Whose text.", one_of({"prompt", "completion", "judgement"}));
    v(&id, "id", "Its number in the store.", at_least(1));
    v(&reason, "reason", "Why it is taken out; kept.", {.required = true});
    v(&requested_by, "requested_by", "On whose request; kept.", {.required = true});
  }
  RedactOptions() : kind("completion") {}
};

void run_redact(RedactOptions& o) {
  open_store(o.store, Access::write)->redact(o.kind, o.id, o.reason, o.requested_by);
  log_info(o.kind + " " + std::to_string(o.id) +
           " redacted; copies in files and in archives made before stay");
}

struct ArchiveOptions : Options {
  std::string store, output;
  void visit(OptionVisitor& v) override {
    v(&store, "store", "The feedback store.", required_input());
    v(&output, "output", "The archive, JSON lines.", required_output());
  }
};

void run_archive(ArchiveOptions& o) {
  open_store(o.store, Access::read)->write_archive(o.output);
}

struct BackupOptions : Options {
  std::string store, output;
  void visit(OptionVisitor& v) override {
    v(&store, "store", "The feedback store: a SQLite file, in use or not.", required_input());
    v(&output, "output", "The copy, a store itself.", required_output());
  }
};

void run_backup(BackupOptions& o) {
  feedback::back_up(o.store, o.output);
  log_info("copied " + o.store + " to " + o.output + ", up to event " +
           std::to_string(open_store(o.output, Access::read)->last_event()));
}

struct RestoreOptions : Options {
  std::string store, archive;
  void visit(OptionVisitor& v) override {
    v(&store, "store", "An empty feedback store; made when missing.", required_output());
    v(&archive, "archive", "What keel feedback archive wrote.", required_input());
  }
};

void run_restore(RestoreOptions& o) {
  const auto store = open_store(o.store, Access::create);
  store->read_archive(o.archive);
  const feedback::Size size = store->size();
  log_info(std::to_string(size.judgements) + " judgements, " + std::to_string(size.completions) +
           " completions, up to event " + std::to_string(size.last_event));
}

struct LineageOptions : Options {
  std::string store, run, output;
  bool json = false;
  void visit(OptionVisitor& v) override {
    v(&store, "store", "The feedback store.", required_input());
    v(&run, "run", "The folder of a run (or its final/) that learned from the store.", required_input());
    v(&json, "json", "JSON instead of a table.");
    v(&output, "output", "A file that gets a line for each row: its judgement, and what became of it.",
      {.writes = true});
  }
};

Json origin_json(const feedback::Origin& origin) {
  Json line = {{"line", origin.line}, {"key", origin.key}, {"known", origin.known}};
  if (!origin.known) return line;
  line.update({{"judgement", origin.judgement},
               {"event", origin.event},
               {"at", origin.at},
               {"annotator", origin.annotator},
               {"kind", origin.kind},
               {"type", origin.type},
               {"weight", origin.weight},
               {"turned", origin.turned},
               {"corrected", origin.corrected},
               {"redacted", origin.redacted}});
  return line;
}

void run_lineage(LineageOptions& o) {
  const auto store = open_store(o.store, Access::read);
  const std::vector<feedback::Origin> origins = feedback::lineage(*store, feedback::rows_of_run(o.run));
  if (!o.output.empty()) {
    std::string lines;
    for (const feedback::Origin& origin : origins) lines += json_text(origin_json(origin)) + "\n";
    write_file_atomically(o.output, lines);
  }
  std::cout << (o.json ? json_text(feedback::lineage_json(origins), 2) + "\n"
                       : feedback::lineage_text(origins));
}

}  // namespace

std::vector<Stage> store_stages() {
  return {
      make_stage("feedback ask", "Put samples before people: completions into a store, and rankings of them.",
                 "Completions of one prompt by several models meet in its rankings, without their models' "
                 "names.\n\n    keel feedback ask --store feedback.db --samples sft=sft.jsonl ppo=ppo.jsonl "
                 "--parents ppo=sft --width 4 --copies 3",
                 &run_ask),
      make_stage("feedback guidelines", "Give annotators a new version of their guidelines.",
                 "Every judgement says under which version it was made.\n\n    keel feedback guidelines "
                 "--store feedback.db --text guidelines.md",
                 &run_guidelines),
      make_stage("feedback redact", "Take a text out of a store for good.",
                 "The row stays, empty, and the redaction says when, why and on whose request.\n\n    keel "
                 "feedback redact --store feedback.db --kind completion --id 7 --reason \"names a person\" "
                 "--requested-by \"the person\"",
                 &run_redact),
      make_stage(
          "feedback archive", "Write all of a store's records as JSON lines.",
          "Models, prompts, completions, tasks, judgements with their ids and times; not accounts. Read "
          "into another store and written again, it has the same bytes.\n\n    keel feedback archive "
          "--store feedback.db --output archive.jsonl",
          &run_archive),
      make_stage(
          "feedback backup", "Copy a store while people judge.",
          "The copy holds the store of one moment, whole; it appears when it is complete. Accounts are in "
          "it, too. A PostgreSQL store has pg_dump for this.\n\n    keel feedback backup --store "
          "feedback.db --output feedback-monday.db",
          &run_backup),
      make_stage("feedback restore", "Read an archive into an empty store.",
                 "From SQLite to PostgreSQL and back, too.\n\n    keel feedback restore --store "
                 "postgresql://keel@localhost/feedback --archive archive.jsonl",
                 &run_restore),
      make_stage(
          "feedback lineage", "From a model back to the judgements that it learned from.",
          "The run's rows were frozen beside it and name their judgements by key. Says who judged, when, and "
          "what was corrected or taken out since, so that it is known what a reward model stands on and "
          "whether it should be trained anew.\n\n    keel feedback lineage --store feedback.db --run "
          "runs/reward --output lineage.jsonl",
          &run_lineage),
  };
}

}  // namespace keel
