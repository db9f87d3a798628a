// The feedback store: prompts, completions, annotators and what these judged. Append-only: a correction is a
// new row.
//
// Every row that is added writes an event; event ids grow in the order of commits. A training stage reads up
// to an event that it writes down, and finds the same judgements there whenever it reads again. Human,
// simulated and AI judgements are marked by their annotator's kind, and reading says which are wanted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
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

enum class JudgementType { ranking, label, skip };

struct Judgement {
  int64_t annotator = 0;
  int64_t prompt = 0;
  JudgementType type = JudgementType::ranking;
  std::vector<int64_t> completions = {};  // of that prompt; a label has one
  std::vector<int64_t> ranks = {};        // a ranking's, beside completions: 1 is best, equal numbers tie
  std::optional<bool> label = {};
  bool shown = false;  // the annotator saw the completions in this order
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
  std::string key = {};
  Judgement judgement = {};
  Annotator annotator = {};
  Passage prompt = {};
  std::vector<Completion> completions = {};  // beside judgement.completions
};

/// A request for work. `holder` names one page or process: it gets the task back that it holds already, and
/// no other holder of the same annotator gets it until the lease ends.
struct Claim {
  int64_t annotator = 0;
  std::string holder = {};
  int64_t now = 0;        // seconds since 1970
  int64_t seconds = 600;  // how long the lease lasts
  int64_t width = 2;      // completions a task, at least 2
};

/// Completions of one prompt that differ from each other, those not yet judged by the annotator first.
struct Task {
  int64_t prompt = 0;
  std::vector<int64_t> completions;
  int64_t expires = 0;  // seconds since 1970
};

struct Progress {
  int64_t done = 0;       // judgements of the annotator that stand, skips among them
  int64_t remaining = 0;  // tasks of the given width that are left
};

struct Size {
  int64_t prompts = 0, completions = 0, annotators = 0, judgements = 0, last_event = 0;
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

  virtual Passage prompt(int64_t id) = 0;
  virtual Completion completion(int64_t id) = 0;
  virtual std::vector<int64_t> prompts() = 0;
  /// In the order in which they were added.
  virtual std::vector<Completion> completions_of(int64_t prompt) = 0;

  /// A prompt with at least two different completions of which at least one is not yet judged by the
  /// annotator; prompts come in a fixed scattered order, so that the first ones judged are a fair sample.
  /// Nothing: all done, or what is left is leased to other holders.
  virtual std::optional<Task> claim(const Claim& claim) = 0;
  /// Gives back what the holder has claimed and not judged.
  virtual void release(int64_t annotator, const std::string& holder) = 0;
  virtual Progress progress(int64_t annotator, int64_t width = 2) = 0;

  /// Returns after the commit. The same key with the same judgement returns the same receipt and adds
  /// nothing. Errors: Refused when the key was used for another judgement, or the judgement does not fit the
  /// store.
  virtual Receipt submit(const Judgement& judgement, const std::string& key) = 0;

  /// What `work` adds becomes durable together when this returns, and not at all when it throws; receipts
  /// given inside count from then on.
  virtual void in_one_commit(const std::function<void()>& work) = 0;

  virtual int64_t last_event() = 0;
  /// Judgements up to an event, in the order of events, without those that were corrected by then.
  virtual std::vector<JudgedRow> judgements(Kinds kinds, int64_t last_event) = 0;
};

/// Opens a store in a SQLite file. Errors: [path] not there, not a store, of a newer schema, not readable or
/// writable.
std::unique_ptr<Store> open_store(const std::filesystem::path& path, Access access);

}  // namespace keel::feedback
