// The feedback store: prompts, completions, annotators and what these judged. Append-only: a correction is a
// new row.
//
// It lies in one SQLite file or in a PostgreSQL database; the code and its behaviour are the same for both.
//
// Every row that is added writes an event; event ids grow in the order of commits. A training stage reads up
// to an event that it writes down, and finds the same judgements there whenever it reads again. Human,
// simulated and AI judgements are marked by their annotator's kind, and reading says which are wanted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "keel/base/error.h"
#include "keel/base/json.h"
#include "keel/feedback/access.h"
#include "keel/rows/rows.h"

namespace keel::feedback {

/// What the caller gave does not fit what the store holds: an unknown id, a used key, ranks without
/// completions.
class Refused : public Error {
 public:
  using Error::Error;
};

enum class AnnotatorKind { human, simulated, ai };
const char* annotator_kind_name(AnnotatorKind kind);
/// Errors: UsageError [where] for anything but "human", "simulated", "ai".
AnnotatorKind annotator_kind(const std::string& name, const std::string& where = "kind");

/// Whose judgements are read: those of one kind, or all of them.
enum class Kinds { human, simulated, ai, all };
/// Errors: UsageError for anything but "human", "simulated", "ai", "all".
Kinds kinds_named(const std::string& name);

struct Annotator {
  AnnotatorKind kind = AnnotatorKind::human;
  std::string name = {};
  Json parameters = Json::object();  // a simulated annotator's reliability, an AI's model and prompt
  bool operator==(const Annotator&) const = default;
};

/// A completion of a prompt in the store.
struct Completion {
  int64_t id = 0;  // given by the store
  int64_t prompt = 0;
  Passage passage = {};
  std::string model = {};          // "" when unknown
  Json sampling = Json::object();  // temperature, seed, ...
  std::vector<double> logps = {};  // nats, one a token; empty when unknown
};

/// A model's name stands at its completions; its parent is what it was trained from.
struct Model {
  std::string name = {};
  std::optional<int64_t> version = {};
  std::string parent = {};  // a model's name; "" when unknown
  Json details = Json::object();
  bool operator==(const Model&) const = default;
};

/// ranking         ranks beside completions: 1 is best, equal numbers tie; a pair is one of two
/// rating          ratings of one completion
/// label           label: yes or no about one completion
/// demonstration   text: a completion written by the annotator
/// edit            text: what one completion should have been
/// flag            text: what is wrong with a prompt, or with one completion
/// comment         text: on a prompt, or on completions
/// skip            text: why, if said
enum class JudgementType { ranking, rating, label, demonstration, edit, flag, comment, skip };
const char* judgement_type_name(JudgementType type);

struct Judgement {
  int64_t annotator = 0;
  int64_t prompt = 0;
  std::optional<int64_t> task = {};  // the one that asked
  JudgementType type = JudgementType::ranking;
  std::vector<int64_t> completions = {};  // of that prompt
  std::vector<int64_t> ranks = {};
  std::optional<bool> label = {};
  std::map<std::string, double> ratings = {};  // by dimension: helpful, honest, harmless, ...
  std::string text = {};
  std::optional<int64_t> strength =
      {};                              // of a ranking: how much better the best is, 1 (slightly) to 3 (much)
  bool none_acceptable = false;        // of a ranking: even the best one is not good enough
  bool adjudicates = false;            // a lead's last word on its task: training reads this answer alone
  bool shown = false;                  // the annotator saw the completions in this order
  std::optional<double> seconds = {};  // how long the annotator was at work on it
  std::optional<int64_t> guideline = {};  // the version of the guidelines that applied
  std::optional<int64_t> corrects =
      {};  // the judgement, of the same annotator and prompt, that this one replaces
  bool operator==(const Judgement&) const = default;
};

/// Proof that a judgement is on the disk.
struct Receipt {
  int64_t judgement = 0;
  int64_t event = 0;
  bool operator==(const Receipt&) const = default;
};

/// A judgement with all that it speaks of.
struct JudgedRow {
  Receipt receipt = {};
  int64_t at = 0;  // seconds since 1970
  std::string key = {};
  Judgement judgement = {};
  Annotator annotator = {};
  Passage prompt = {};
  std::vector<Completion> completions = {};  // beside judgement.completions
};

enum class TaskKind { ranking, rating, label, demonstration, edit };
const char* task_kind_name(TaskKind kind);
/// Errors: Error [where] for any other name.
TaskKind task_kind(const std::string& name, const std::string& where = "task");

/// What is asked: to rank completions, rate or label one, write one, or edit one.
struct Task {
  int64_t id = 0;  // given by the store
  TaskKind kind = TaskKind::ranking;
  int64_t prompt = 0;
  std::vector<int64_t> completions = {};
  int64_t copies = 0;             // answers wanted, each of another annotator; 0: one of every annotator
  Json details = Json::object();  // dimensions and scale of a rating, a warning, what a gold item's answer is
};

/// A request for work. `holder` names one page or process: it gets the task back that it holds already, and
/// no other holder of the same annotator gets it until the lease ends.
struct Claim {
  int64_t annotator = 0;
  std::string holder = {};
  int64_t now = 0;        // seconds since 1970
  int64_t seconds = 600;  // how long the lease lasts
};

/// A task in an annotator's hands.
struct Lease {
  int64_t task = 0;
  int64_t annotator = 0;
  std::string holder = {};
  int64_t expires = 0;  // seconds since 1970
};

/// A judgement that somebody should look at again.
struct Returned {
  int64_t judgement = 0;
  std::string note = {}, returned_by = {};
  Judgement answer = {};  // as it was
  bool operator==(const Returned&) const = default;
};

struct Progress {
  int64_t done = 0;       // judgements of the annotator that stand, skips among them
  int64_t remaining = 0;  // tasks that still want an answer of this annotator
};

struct Size {
  int64_t prompts = 0, completions = 0, annotators = 0, tasks = 0, judgements = 0, last_event = 0;
  int64_t open_tasks = 0;  // that still want an answer of somebody; one that everybody is asked never ends
};

/// Safe to use from several threads; several programs may open one store.
/// Every call throws Refused for ids it does not know, and Error for a full disk, a read-only or damaged
/// file.
class Store {
 public:
  virtual ~Store() = default;

  /// Made at random with the store, so that a page never sends its judgements to another one.
  virtual std::string identity() = 0;
  virtual Size size() = 0;

  /// The same text and ids give the same id. A prompt without any stands for none: only labels speak of it.
  virtual int64_t add_prompt(const Passage& prompt) = 0;
  /// Always a new row: two samples may be equal. Errors: Refused when it has neither text nor ids.
  virtual int64_t add_completion(const Completion& completion) = 0;
  /// The same kind, name and parameters give the same id.
  virtual int64_t add_annotator(const Annotator& annotator) = 0;

  virtual Annotator annotator(int64_t id) = 0;
  virtual Passage prompt(int64_t id) = 0;
  virtual Completion completion(int64_t id) = 0;
  virtual std::vector<int64_t> prompts() = 0;
  /// In the order in which they were added.
  virtual std::vector<Completion> completions_of(int64_t prompt) = 0;

  /// The same name gives the same id; what was said of it first stands. Errors: Refused for an unknown
  /// parent.
  virtual int64_t add_model(const Model& model) = 0;
  virtual std::vector<Model> models() = 0;

  /// A new version of what annotators are told. The same text as the newest one gives its id.
  virtual int64_t add_guidelines(const std::string& text) = 0;
  /// The newest version and its text; {0, ""} when there is none.
  virtual std::pair<int64_t, std::string> guidelines() = 0;

  /// The same request gives the same id, and what was answered stays answered. A ranking has two completions
  /// or more, a rating, a label and an edit one, a demonstration none. Errors: Refused for what does not fit.
  virtual int64_t add_task(const Task& task) = 0;
  virtual Task task(int64_t id) = 0;
  virtual std::vector<int64_t> tasks() = 0;
  /// Those added after the one of this number.
  virtual std::vector<int64_t> tasks_behind(int64_t task) = 0;
  /// Rankings of up to `width` completions (2 to 9) of every prompt that has different ones which no ranking
  /// asks for yet; a single one left over is shown beside one that was asked for. Returns how many tasks it
  /// added.
  virtual int64_t add_rankings(int64_t width, int64_t copies) = 0;
  /// Tasks of a higher priority are handed out first; those of one priority in a fixed scattered order, so
  /// that the first ones answered are a fair sample. 0 until it is set.
  virtual void set_priority(int64_t task, double priority) = 0;

  /// A task that wants an answer of this annotator: one that it has not answered or skipped, and of which
  /// answers and leases of others do not make up the copies. Nothing: all done, or what is left is in other
  /// hands.
  virtual std::optional<Lease> claim(const Claim& claim) = 0;
  /// Gives back what the holder has claimed and not answered.
  virtual void release(int64_t annotator, const std::string& holder) = 0;
  /// Those that have not ended.
  virtual std::vector<Lease> leases(int64_t now) = 0;
  virtual Progress progress(int64_t annotator) = 0;
  /// Answers that tasks with a number of copies still want; what everyone is asked is not counted.
  virtual int64_t missing_answers() = 0;

  /// Returns after the commit. The same key with the same judgement returns the same receipt and adds
  /// nothing. Errors: Refused when the key was used for another judgement, or the judgement does not fit the
  /// store.
  virtual Receipt submit(const Judgement& judgement, const std::string& key) = 0;

  /// Asks a judgement's annotator to look at it again: it is corrected, or kept as it is. Errors: Refused for
  /// an unknown judgement, one without a task, or one that was corrected.
  virtual void return_judgement(int64_t judgement, const std::string& note,
                                const std::string& returned_by) = 0;
  /// The oldest one that waits for this annotator.
  virtual std::optional<Returned> returned_to(int64_t annotator) = 0;
  /// The annotator stands by it. Errors: Refused for one that is not this annotator's.
  virtual void keep_returned(int64_t judgement, int64_t annotator) = 0;

  /// What `work` adds becomes durable together when this returns, and not at all when it throws; receipts
  /// given inside count from then on.
  virtual void in_one_commit(const std::function<void()>& work) = 0;

  virtual int64_t last_event() = 0;
  /// Judgements up to an event, in the order of events, without those that were corrected by then.
  virtual std::vector<JudgedRow> judgements(Kinds kinds, int64_t last_event) = 0;
  /// Those of one task that stand, of all kinds, in the same order.
  virtual std::vector<JudgedRow> judgements_of_task(int64_t task) = 0;
  /// What an annotator first answered to a task, or that it was skipped, whatever corrected it later.
  virtual std::optional<Judgement> first_answer(int64_t task, int64_t annotator) = 0;

  /// The judgement of this key, whether or not it was corrected since; nothing when there is none.
  virtual std::optional<JudgedRow> judgement_of_key(const std::string& key) = 0;

  /// Takes a text out for good: of a prompt, a completion or a judgement. Its row stays, empty, and the
  /// redaction says when, why and on whose request. Errors: Refused for an unknown kind or id.
  virtual void redact(const std::string& kind, int64_t id, const std::string& reason,
                      const std::string& requested_by) = 0;

  /// All records as JSON lines, one an event, in their order; accounts, leases and the queue's priorities are
  /// left out. Reading it into an empty store and writing it again gives the same bytes, from either kind of
  /// database to the other.
  virtual void write_archive(const std::filesystem::path& path) = 0;
  /// Errors: Refused when the store is not empty; [file:line] what no archive holds. All of it or nothing.
  virtual void read_archive(const std::filesystem::path& path) = 0;
};

/// Whether `where` names a store, or may: a PostgreSQL address, or a SQLite file.
bool is_store(const std::string& where);

/// `where`: a SQLite file, or postgresql://user@host:port/name. Errors: those of open_database.
std::unique_ptr<Store> open_store(const std::string& where, Access access);

}  // namespace keel::feedback
