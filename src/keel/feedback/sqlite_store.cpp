// The store in one SQLite file: write-ahead log, every commit synced. All SQL of Keel is here and in
// schema.cpp.
#include <algorithm>
#include <array>
#include <mutex>
#include <set>

#include "keel/base/files.h"
#include "keel/feedback/schema.h"
#include "keel/feedback/sqlite.h"
#include "keel/feedback/store.h"

namespace keel::feedback {
namespace {

constexpr size_t kLongestKey = 200;
constexpr std::array<const char*, 3> kKindNames = {"human", "simulated", "ai"};
constexpr std::array<const char*, 3> kTypeNames = {"ranking", "label", "skip"};

template <class Enum>
const char* name_of(const std::array<const char*, 3>& names, Enum value) {
  return names.at(static_cast<size_t>(value));
}

// A name out of the file, which another program may have written.
template <class Enum>
Enum value_named(const std::array<const char*, 3>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw Error("store", "expected a known kind of row, got \"" + name + "\"");
  return static_cast<Enum>(found - names.begin());
}

std::optional<std::string> ids_json(const Passage& passage) {
  return passage.has_ids ? std::optional(json_text(Json(passage.ids))) : std::nullopt;
}

// A JSON list out of the file, which another program may have written.
template <class T>
std::vector<T> list_in(const std::string& text) {
  try {
    return parse_json(text, "store").get<std::vector<T>>();
  } catch (const Json::exception&) {
    throw Error("store", "expected a list of numbers, got " + text.substr(0, 40));
  }
}

// From columns `column` (text) and `column` + 1 (ids).
Passage passage_at(const Statement& row, int column) {
  Passage passage{.text = row.text(column)};
  if (const auto ids = row.optional_text(column + 1)) {
    passage.has_ids = true;
    passage.ids = list_in<int64_t>(*ids);
  }
  return passage;
}

std::string prompt_hash(const Passage& prompt) {
  return sha256(prompt.text + '\0' + ids_json(prompt).value_or(""));
}

// Annotators see the text; where there is none, the ids stand for it.
std::string seen_hash(const Passage& completion) {
  return sha256(completion.text.empty() ? '\0' + ids_json(completion).value_or("") : completion.text);
}

bool is_empty(const Passage& passage) {
  return passage.has_ids ? passage.ids.empty() : passage.text.empty();
}

// What can be refused without looking into the store.
void check_shape(const Judgement& judgement, const std::string& key) {
  const auto refuse_unless = [](bool good, const char* message) {
    if (!good) throw Refused("judgement", message);
  };
  const std::set<int64_t> distinct(judgement.completions.begin(), judgement.completions.end());
  refuse_unless(!key.empty() && key.size() <= kLongestKey,
                "expected a key of 1 to 200 bytes, got another length");
  refuse_unless(!judgement.completions.empty(), "expected completions to judge, got none");
  refuse_unless(distinct.size() == judgement.completions.size(),
                "expected each completion once, got one twice");
  const bool ranking = judgement.type == JudgementType::ranking,
             label = judgement.type == JudgementType::label;
  refuse_unless(judgement.ranks.size() == (ranking ? distinct.size() : 0),
                "expected a rank for each completion of a ranking, got another number of ranks");
  refuse_unless(!ranking || distinct.size() >= 2, "expected at least two completions to rank, got one");
  refuse_unless(
      std::all_of(judgement.ranks.begin(), judgement.ranks.end(), [](int64_t rank) { return rank >= 1; }),
      "expected ranks of at least 1, got a smaller one");
  refuse_unless(judgement.label.has_value() == label,
                "expected a label in a label judgement and nowhere else");
  refuse_unless(!label || distinct.size() == 1, "expected one completion to label, got several");
}

class SqliteStore : public Store {
 public:
  SqliteStore(const std::filesystem::path& path, Access access) : database_(path, access) {
    prepare_schema(database_, path, access);
  }

  std::string identity() override {
    const std::lock_guard lock(mutex_);
    Statement row = database_.query("SELECT identity FROM store");
    return row.step() ? row.text(0) : "";
  }

  Size size() override {
    const std::lock_guard lock(mutex_);
    Size size;
    database_.read([&] {
      size.prompts = database_.integer("SELECT count(*) FROM prompts");
      size.completions = database_.integer("SELECT count(*) FROM completions");
      size.annotators = database_.integer("SELECT count(*) FROM annotators");
      size.judgements = database_.integer("SELECT count(*) FROM judgements");
      size.last_event = newest_event();
    });
    return size;
  }

  int64_t add_prompt(const Passage& prompt) override {
    const std::lock_guard lock(mutex_);
    if (prompt.has_ids && prompt.ids.empty())
      throw Refused("prompt", "expected at least one id, got an empty list");
    const std::string hash = prompt_hash(prompt);
    int64_t id = 0;
    database_.write([&] {
      id = database_.integer("SELECT coalesce(max(id), 0) FROM prompts WHERE hash = ?1", hash);
      if (id != 0) return;
      database_.run("INSERT INTO prompts (text, ids, hash) VALUES (?1, ?2, ?3)", prompt.text,
                    ids_json(prompt), hash);
      id = database_.last_insert();
    });
    return id;
  }

  int64_t add_completion(const Completion& completion) override {
    const std::lock_guard lock(mutex_);
    const Passage& passage = completion.passage;
    if (is_empty(passage)) throw Refused("completion", "expected text or ids, got neither");
    const auto logps =
        completion.logps.empty() ? std::nullopt : std::optional(json_text(Json(completion.logps)));
    int64_t id = 0;
    database_.write([&] {
      require("prompt", "SELECT count(*) FROM prompts WHERE id = ?1", completion.prompt);
      database_.run(
          "INSERT INTO completions (prompt, text, ids, hash, model, sampling, logps) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
          completion.prompt, passage.text, ids_json(passage), seen_hash(passage), completion.model,
          json_text(completion.sampling), logps);
      id = database_.last_insert();
    });
    return id;
  }

  int64_t add_annotator(const Annotator& annotator) override {
    const std::lock_guard lock(mutex_);
    const std::string kind = name_of(kKindNames, annotator.kind),
                      parameters = json_text(annotator.parameters);
    int64_t id = 0;
    database_.write([&] {
      id = database_.integer(
          "SELECT coalesce(max(id), 0) FROM annotators "
          "WHERE kind = ?1 AND name = ?2 AND parameters = ?3",
          kind, annotator.name, parameters);
      if (id != 0) return;
      database_.run("INSERT INTO annotators (kind, name, parameters) VALUES (?1, ?2, ?3)", kind,
                    annotator.name, parameters);
      id = database_.last_insert();
    });
    return id;
  }

  Passage prompt(int64_t id) override {
    const std::lock_guard lock(mutex_);
    Statement row = database_.query("SELECT text, ids FROM prompts WHERE id = ?1", id);
    if (!row.step()) refuse_id("prompt", id);
    return passage_at(row, 0);
  }

  Completion completion(int64_t id) override {
    const std::lock_guard lock(mutex_);
    Statement row = database_.query(
        "SELECT id, prompt, text, ids, model, sampling, logps FROM completions "
        "WHERE id = ?1",
        id);
    if (!row.step()) refuse_id("completion", id);
    return completion_at(row);
  }

  std::vector<int64_t> prompts() override {
    const std::lock_guard lock(mutex_);
    return integers(database_.query("SELECT id FROM prompts ORDER BY id"));
  }

  std::vector<Completion> completions_of(int64_t prompt) override {
    const std::lock_guard lock(mutex_);
    Statement row = database_.query(
        "SELECT id, prompt, text, ids, model, sampling, logps FROM completions "
        "WHERE prompt = ?1 ORDER BY id",
        prompt);
    std::vector<Completion> result;
    while (row.step()) result.push_back(completion_at(row));
    return result;
  }

  std::optional<Task> claim(const Claim& claim) override {
    if (claim.width < 2) throw Refused("claim", "expected at least two completions a task, got fewer");
    const std::lock_guard lock(mutex_);
    std::optional<Task> task;
    database_.write([&] {
      require("annotator", "SELECT count(*) FROM annotators WHERE id = ?1", claim.annotator);
      const std::optional<int64_t> prompt = next_prompt(claim);
      if (!prompt) return;
      task = Task{*prompt, pick_completions(claim, *prompt), claim.now + claim.seconds};
      database_.run("DELETE FROM leases WHERE annotator = ?1 AND prompt = ?2", claim.annotator, *prompt);
      database_.run("INSERT INTO leases (annotator, prompt, holder, expires) VALUES (?1, ?2, ?3, ?4)",
                    claim.annotator, *prompt, claim.holder, task->expires);
    });
    return task;
  }

  void release(int64_t annotator, const std::string& holder) override {
    const std::lock_guard lock(mutex_);
    database_.write(
        [&] { database_.run("DELETE FROM leases WHERE annotator = ?1 AND holder = ?2", annotator, holder); });
  }

  Progress progress(int64_t annotator, int64_t width) override {
    const std::lock_guard lock(mutex_);
    Progress progress;
    database_.read([&] {
      progress.done = database_.integer(
          "SELECT count(*) FROM judgements j WHERE annotator = ?1 AND NOT EXISTS "
          "(SELECT 1 FROM judgements n WHERE n.corrects = j.id)",
          annotator);
      progress.remaining = database_.integer(R"sql(
SELECT coalesce(sum((unjudged + ?2 - 1) / ?2), 0) FROM (
  SELECT count(DISTINCT c.hash) AS unjudged FROM completions c
  WHERE (SELECT count(DISTINCT o.hash) FROM completions o WHERE o.prompt = c.prompt) >= 2
    AND NOT EXISTS (SELECT 1 FROM completions s JOIN judged d ON d.completion = s.id
                    JOIN judgements j ON j.id = d.judgement
                    WHERE s.prompt = c.prompt AND s.hash = c.hash AND j.annotator = ?1)
  GROUP BY c.prompt))sql",
                                             annotator, width);
    });
    return progress;
  }

  Receipt submit(const Judgement& judgement, const std::string& key) override {
    check_shape(judgement, key);
    const std::lock_guard lock(mutex_);
    Receipt receipt;
    database_.write([&] {
      if (const std::optional<Receipt> earlier = receipt_of(key)) {
        if (judgement_at(earlier->judgement) != judgement)
          throw Refused("judgement", "expected a new key, got one that was used for another judgement");
        receipt = *earlier;
        return;
      }
      check_against_store(judgement);
      insert(judgement, key);
      receipt = *receipt_of(key);
    });
    return receipt;
  }

  void in_one_commit(const std::function<void()>& work) override {
    const std::lock_guard lock(mutex_);
    database_.write(work);
  }

  int64_t last_event() override {
    const std::lock_guard lock(mutex_);
    return newest_event();
  }

  std::vector<JudgedRow> judgements(Kinds kinds, int64_t last_event) override {
    const std::lock_guard lock(mutex_);
    std::vector<JudgedRow> rows;
    database_.read([&] {
      const std::optional<std::string> kind =
          kinds == Kinds::all ? std::nullopt
                              : std::optional<std::string>(kKindNames.at(static_cast<size_t>(kinds)));
      Statement found = database_.query(R"sql(
SELECT j.id, e.id, j.key FROM events e
JOIN judgements j ON j.id = e.subject JOIN annotators a ON a.id = j.annotator
WHERE e.kind = 'judgement' AND e.id <= ?1 AND (?2 IS NULL OR a.kind = ?2)
  AND NOT EXISTS (SELECT 1 FROM judgements n JOIN events ne ON ne.kind = 'judgement' AND ne.subject = n.id
                  WHERE n.corrects = j.id AND ne.id <= ?1)
ORDER BY e.id)sql",
                                        last_event, kind);
      while (found.step()) rows.push_back(judged_row({found.integer(0), found.integer(1)}, found.text(2)));
    });
    return rows;
  }

 private:
  [[noreturn]] static void refuse_id(const char* what, int64_t id) {
    throw Refused(what, "expected one that is in the store, got number " + std::to_string(id));
  }

  void require(const char* what, const char* count_sql, int64_t id) {
    if (database_.integer(count_sql, id) == 0) refuse_id(what, id);
  }

  int64_t newest_event() { return database_.integer("SELECT coalesce(max(id), 0) FROM events"); }

  static std::vector<int64_t> integers(Statement row) {
    std::vector<int64_t> result;
    while (row.step()) result.push_back(row.integer(0));
    return result;
  }

  static Completion completion_at(const Statement& row) {
    Completion result{.id = row.integer(0), .prompt = row.integer(1), .passage = passage_at(row, 2)};
    result.model = row.text(4);
    result.sampling = parse_json(row.text(5), "store");
    if (const auto logps = row.optional_text(6)) result.logps = list_in<double>(*logps);
    return result;
  }

  // The holder's own task first, so that a page that lost the answer gets it again. Multiplying by an odd
  // number scatters the ids and keeps them distinct.
  std::optional<int64_t> next_prompt(const Claim& claim) {
    Statement row = database_.query(R"sql(
SELECT p.id FROM prompts p
WHERE (SELECT count(DISTINCT c.hash) FROM completions c WHERE c.prompt = p.id) >= 2
  AND EXISTS (SELECT 1 FROM completions c WHERE c.prompt = p.id AND NOT EXISTS (
        SELECT 1 FROM completions s JOIN judged d ON d.completion = s.id JOIN judgements j ON j.id = d.judgement
        WHERE s.prompt = c.prompt AND s.hash = c.hash AND j.annotator = ?1))
  AND NOT EXISTS (SELECT 1 FROM leases l
                  WHERE l.annotator = ?1 AND l.prompt = p.id AND l.expires > ?2 AND l.holder <> ?3)
ORDER BY EXISTS (SELECT 1 FROM leases l
                 WHERE l.annotator = ?1 AND l.prompt = p.id AND l.expires > ?2 AND l.holder = ?3) DESC,
         (p.id * 2654435761) & 4294967295
LIMIT 1)sql",
                                    claim.annotator, claim.now, claim.holder);
    return row.step() ? std::optional(row.integer(0)) : std::nullopt;
  }

  // One completion for each content, the unjudged ones first, each half in a scattered order.
  std::vector<int64_t> pick_completions(const Claim& claim, int64_t prompt) {
    return integers(database_.query(R"sql(
SELECT min(c.id) FROM completions c WHERE c.prompt = ?2
GROUP BY c.hash
ORDER BY EXISTS (SELECT 1 FROM completions s JOIN judged d ON d.completion = s.id
                 JOIN judgements j ON j.id = d.judgement
                 WHERE s.prompt = ?2 AND s.hash = c.hash AND j.annotator = ?1),
         c.hash
LIMIT ?3)sql",
                                    claim.annotator, prompt, claim.width));
  }

  std::optional<Receipt> receipt_of(const std::string& key) {
    Statement row = database_.query(
        "SELECT j.id, e.id FROM judgements j JOIN events e ON e.kind = 'judgement' "
        "AND e.subject = j.id WHERE j.key = ?1",
        key);
    return row.step() ? std::optional(Receipt{row.integer(0), row.integer(1)}) : std::nullopt;
  }

  void check_against_store(const Judgement& judgement) {
    require("annotator", "SELECT count(*) FROM annotators WHERE id = ?1", judgement.annotator);
    require("prompt", "SELECT count(*) FROM prompts WHERE id = ?1", judgement.prompt);
    if (judgement.type != JudgementType::label && is_empty(prompt(judgement.prompt)))
      throw Refused("prompt", "expected one with text or ids for a ranking, got an empty one");
    for (const int64_t completion : judgement.completions)
      if (database_.integer("SELECT count(*) FROM completions WHERE id = ?1 AND prompt = ?2", completion,
                            judgement.prompt) == 0)
        throw Refused("completion", "expected one of prompt " + std::to_string(judgement.prompt) +
                                        ", got number " + std::to_string(completion));
    if (!judgement.corrects) return;
    if (database_.integer("SELECT count(*) FROM judgements WHERE id = ?1 AND annotator = ?2 AND prompt = ?3",
                          *judgement.corrects, judgement.annotator, judgement.prompt) == 0)
      throw Refused("judgement", "expected to correct one of the same annotator and prompt, got number " +
                                     std::to_string(*judgement.corrects));
    if (database_.integer("SELECT count(*) FROM judgements WHERE corrects = ?1", *judgement.corrects) != 0)
      throw Refused("judgement", "expected to correct one that stands, got number " +
                                     std::to_string(*judgement.corrects) + ", which was corrected before");
  }

  void insert(const Judgement& judgement, const std::string& key) {
    const auto label = judgement.label ? std::optional<int64_t>(*judgement.label) : std::nullopt;
    database_.run(
        "INSERT INTO judgements (key, annotator, prompt, type, label, shown, corrects) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        key, judgement.annotator, judgement.prompt, name_of(kTypeNames, judgement.type), label,
        int64_t{judgement.shown}, judgement.corrects);
    const int64_t id = database_.last_insert();
    for (size_t i = 0; i < judgement.completions.size(); ++i) {
      const auto rank = judgement.ranks.empty() ? std::nullopt : std::optional(judgement.ranks[i]);
      database_.run("INSERT INTO judged (judgement, position, completion, rank) VALUES (?1, ?2, ?3, ?4)", id,
                    static_cast<int64_t>(i), judgement.completions[i], rank);
    }
  }

  Judgement judgement_at(int64_t id) {
    Statement row = database_.query(
        "SELECT annotator, prompt, type, label, shown, corrects FROM judgements "
        "WHERE id = ?1",
        id);
    if (!row.step()) refuse_id("judgement", id);
    Judgement result{.annotator = row.integer(0), .prompt = row.integer(1)};
    result.type = value_named<JudgementType>(kTypeNames, row.text(2));
    if (const auto label = row.optional_integer(3)) result.label = *label != 0;
    result.shown = row.integer(4) != 0;
    result.corrects = row.optional_integer(5);
    Statement item =
        database_.query("SELECT completion, rank FROM judged WHERE judgement = ?1 ORDER BY position", id);
    while (item.step()) {
      result.completions.push_back(item.integer(0));
      if (!item.is_null(1)) result.ranks.push_back(item.integer(1));
    }
    return result;
  }

  JudgedRow judged_row(const Receipt& receipt, const std::string& key) {
    const Judgement judgement = judgement_at(receipt.judgement);
    JudgedRow row{receipt, key, judgement, annotator_at(judgement.annotator), prompt(judgement.prompt), {}};
    for (const int64_t id : judgement.completions) row.completions.push_back(completion(id));
    return row;
  }

  Annotator annotator_at(int64_t id) {
    Statement row = database_.query("SELECT kind, name, parameters FROM annotators WHERE id = ?1", id);
    if (!row.step()) refuse_id("annotator", id);
    return {value_named<AnnotatorKind>(kKindNames, row.text(0)), row.text(1),
            parse_json(row.text(2), "store")};
  }

  // Recursive: in_one_commit calls back into the store.
  std::recursive_mutex mutex_;
  Database database_;
};

}  // namespace

const char* annotator_kind_name(AnnotatorKind kind) {
  return name_of(kKindNames, kind);
}

AnnotatorKind annotator_kind(const std::string& name, const std::string& where) {
  const auto found = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (found == kKindNames.end())
    throw UsageError(where, "expected human, simulated or ai, got \"" + name + "\"");
  return static_cast<AnnotatorKind>(found - kKindNames.begin());
}

Kinds kinds_named(const std::string& name) {
  if (name == "all") return Kinds::all;
  if (std::find(kKindNames.begin(), kKindNames.end(), name) == kKindNames.end())
    throw UsageError("kind", "expected human, simulated, ai or all, got \"" + name + "\"");
  return static_cast<Kinds>(annotator_kind(name));
}

std::unique_ptr<Store> open_store(const std::filesystem::path& path, Access access) {
  if (path.string().starts_with("postgres:") || path.string().starts_with("postgresql:"))
    throw UsageError("store", "expected a file, got a PostgreSQL address: only SQLite files are there yet");
  return std::make_unique<SqliteStore>(path, access);
}

}  // namespace keel::feedback
