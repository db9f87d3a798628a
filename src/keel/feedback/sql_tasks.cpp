// What is asked of whom: tasks, the queue of those that still want answers, leases.
#include <algorithm>
#include <cmath>
#include <map>

#include "keel/base/files.h"
#include "keel/feedback/judgement_rules.h"
#include "keel/feedback/sql_store.h"

namespace keel::feedback {
namespace {

constexpr int64_t kWidest = 9;

std::string task_hash(const Task& task) {
  return sha256(json_text(Json{task_kind_name(task.kind), task.prompt, task.completions, task.details}));
}

}  // namespace

int64_t SqlStore::add_task(const Task& task) {
  check_shape(task);
  const std::string hash = task_hash(task);
  return writing([&] {
    if (const int64_t known =
            database_->integer("SELECT coalesce(max(id), 0) FROM tasks WHERE hash = ?1", hash);
        known != 0)
      return known;
    check_task(task);
    const int64_t id = database_->integer(
        "INSERT INTO tasks (id, kind, prompt, copies, details, hash) "
        "VALUES ((SELECT coalesce(max(id), 0) + 1 FROM tasks), ?1, ?2, ?3, ?4, ?5) RETURNING id",
        std::string_view(task_kind_name(task.kind)), task.prompt, task.copies, json_text(task.details), hash);
    for (size_t i = 0; i < task.completions.size(); ++i)
      database_->run("INSERT INTO task_completions (task, position, completion) VALUES (?1, ?2, ?3)", id,
                     static_cast<int64_t>(i), task.completions[i]);
    add_event("task", id);
    queue_if_wanted(id);
    return id;
  });
}

void SqlStore::check_task(const Task& task) {
  require("prompt", "SELECT count(*) FROM prompts WHERE id = ?1", task.prompt);
  for (const int64_t completion : task.completions)
    if (database_->integer("SELECT count(*) FROM completions WHERE id = ?1 AND prompt = ?2", completion,
                           task.prompt) == 0)
      throw Refused("completion", "expected one of prompt " + std::to_string(task.prompt) + ", got number " +
                                      std::to_string(completion));
}

Task SqlStore::task(int64_t id) {
  const std::lock_guard lock(mutex_);
  const auto row = database_->query("SELECT kind, prompt, copies, details FROM tasks WHERE id = ?1", id);
  if (!row->step()) refuse_id("task", id);
  Task task{.id = id,
            .kind = task_kind(row->text(0), "store"),
            .prompt = row->integer(1),
            .copies = row->integer(2),
            .details = parse_json(row->text(3), "store")};
  task.completions = integers(
      database_->query("SELECT completion FROM task_completions WHERE task = ?1 ORDER BY position", id));
  return task;
}

std::vector<int64_t> SqlStore::tasks() {
  const std::lock_guard lock(mutex_);
  return integers(database_->query("SELECT id FROM tasks ORDER BY id"));
}

std::vector<int64_t> SqlStore::tasks_behind(int64_t task) {
  const std::lock_guard lock(mutex_);
  return integers(database_->query("SELECT id FROM tasks WHERE id > ?1 ORDER BY id", task));
}

int64_t SqlStore::add_rankings(int64_t width, int64_t copies) {
  if (width < 2 || width > kWidest)
    throw Refused("task", "expected 2 to 9 completions a ranking, got " + std::to_string(width));
  return writing([&] {
    std::map<int64_t, std::vector<int64_t>> fresh;
    const auto row = database_->query(R"sql(
SELECT c.prompt, min(c.id) FROM completions c
WHERE NOT EXISTS (SELECT 1 FROM completions s JOIN task_completions tc ON tc.completion = s.id
                  JOIN tasks t ON t.id = tc.task
                  WHERE s.prompt = c.prompt AND s.hash = c.hash AND t.kind = 'ranking')
GROUP BY c.prompt, c.hash ORDER BY c.prompt, c.hash)sql");
    while (row->step()) fresh[row->integer(0)].push_back(row->integer(1));
    int64_t added = 0;
    for (const auto& [prompt, completions] : fresh)
      added += add_rankings_of(prompt, completions, width, copies);
    return added;
  });
}

int64_t SqlStore::add_rankings_of(int64_t prompt, const std::vector<int64_t>& fresh, int64_t width,
                                  int64_t copies) {
  int64_t added = 0;
  for (size_t first = 0; first < fresh.size(); first += static_cast<size_t>(width)) {
    const size_t last = std::min(fresh.size(), first + static_cast<size_t>(width));
    Task task{
        .prompt = prompt,
        .completions = {fresh.begin() + static_cast<long>(first), fresh.begin() + static_cast<long>(last)}};
    task.copies = copies;
    if (task.completions.size() == 1) {  // beside one that was asked for
      const auto other = integers(database_->query(
          "SELECT min(c.id) FROM completions c WHERE c.prompt = ?1 AND c.hash <> "
          "(SELECT hash FROM completions WHERE id = ?2) GROUP BY c.hash ORDER BY c.hash LIMIT 1",
          prompt, task.completions[0]));
      if (other.empty()) continue;
      task.completions.push_back(other[0]);
    }
    add_task(task);
    ++added;
  }
  return added;
}

void SqlStore::set_priority(int64_t task, double priority) {
  if (!std::isfinite(priority)) throw Refused("task", "expected a finite priority");
  const std::lock_guard lock(mutex_);
  database_->write([&] {
    require("task", "SELECT count(*) FROM tasks WHERE id = ?1", task);
    database_->run("UPDATE queue SET priority = ?2 WHERE task = ?1", task, priority);
  });
}

// Into the queue, or out of it: by its copies and the answers that stand. Multiplying by an odd number
// scatters the ids and keeps them distinct.
void SqlStore::queue_if_wanted(int64_t task) {
  const int64_t missing = database_->integer(R"sql(
SELECT CASE WHEN t.copies = 0 THEN 1 ELSE t.copies - (
  SELECT count(*) FROM judgements j WHERE j.task = t.id AND j.type = t.kind
    AND NOT EXISTS (SELECT 1 FROM judgements n WHERE n.corrects = j.id)) END
FROM tasks t WHERE t.id = ?1)sql",
                                             task);
  if (missing <= 0) return database_->run("DELETE FROM queue WHERE task = ?1", task);
  database_->run(
      "INSERT INTO queue (task, priority, place) VALUES (?1, ?2, (?1 * 2654435761) & 4294967295) "
      "ON CONFLICT DO NOTHING",
      task, 0.0);
}

std::optional<Lease> SqlStore::claim(const Claim& claim) {
  return writing([&]() -> std::optional<Lease> {
    require("annotator", "SELECT count(*) FROM annotators WHERE id = ?1", claim.annotator);
    database_->run("DELETE FROM leases WHERE expires <= ?1", claim.now);
    const std::optional<int64_t> task = next_task(claim);
    if (!task) return std::nullopt;
    const Lease lease{*task, claim.annotator, claim.holder, claim.now + claim.seconds};
    database_->run(
        "INSERT INTO leases (task, annotator, holder, expires) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (task, annotator) DO UPDATE SET holder = excluded.holder, expires = excluded.expires",
        lease.task, lease.annotator, lease.holder, lease.expires);
    return lease;
  });
}

// The holder's own task first, so that a page that lost the answer gets it again; then the first of the queue
// that this annotator may have. Leases that ended are gone by now.
std::optional<int64_t> SqlStore::next_task(const Claim& claim) {
  const auto own = integers(
      database_->query("SELECT task FROM leases WHERE annotator = ?1 AND holder = ?2 ORDER BY task LIMIT 1",
                       claim.annotator, claim.holder));
  if (!own.empty()) return own[0];
  const auto next = integers(database_->query(R"sql(
SELECT q.task FROM queue q JOIN tasks t ON t.id = q.task
WHERE NOT EXISTS (SELECT 1 FROM judgements j WHERE j.task = q.task AND j.annotator = ?1
                  AND j.type NOT IN ('flag', 'comment'))
  AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.task = q.task AND l.annotator = ?1)
  AND (t.copies = 0 OR t.copies > (SELECT count(*) FROM leases l WHERE l.task = q.task) + (
    SELECT count(*) FROM judgements j WHERE j.task = t.id AND j.type = t.kind
      AND NOT EXISTS (SELECT 1 FROM judgements n WHERE n.corrects = j.id)))
ORDER BY q.priority DESC, q.place LIMIT 1)sql",
                                              claim.annotator));
  return next.empty() ? std::nullopt : std::optional(next[0]);
}

void SqlStore::release(int64_t annotator, const std::string& holder) {
  const std::lock_guard lock(mutex_);
  database_->write(
      [&] { database_->run("DELETE FROM leases WHERE annotator = ?1 AND holder = ?2", annotator, holder); });
}

std::vector<Lease> SqlStore::leases(int64_t now) {
  const std::lock_guard lock(mutex_);
  std::vector<Lease> result;
  const auto row = database_->query(
      "SELECT task, annotator, holder, expires FROM leases WHERE expires > ?1 ORDER BY task, annotator", now);
  while (row->step()) result.push_back({row->integer(0), row->integer(1), row->text(2), row->integer(3)});
  return result;
}

Progress SqlStore::progress(int64_t annotator) {
  return reading([&] {
    return Progress{
        .done = database_->integer("SELECT count(*) FROM judgements j WHERE annotator = ?1 "
                                   "AND type NOT IN ('flag', 'comment') AND NOT EXISTS "
                                   "(SELECT 1 FROM judgements n WHERE n.corrects = j.id)",
                                   annotator),
        .remaining = database_->integer(
            "SELECT (SELECT count(*) FROM queue) - (SELECT count(DISTINCT j.task) FROM judgements j "
            "JOIN queue q ON q.task = j.task WHERE j.annotator = ?1 AND j.type NOT IN ('flag', 'comment'))",
            annotator)};
  });
}

int64_t SqlStore::missing_answers() {
  const std::lock_guard lock(mutex_);
  return database_->integer(R"sql(
SELECT coalesce(cast(sum(t.copies - (
  SELECT count(*) FROM judgements j WHERE j.task = t.id AND j.type = t.kind
    AND NOT EXISTS (SELECT 1 FROM judgements n WHERE n.corrects = j.id))) AS BIGINT), 0)
FROM queue q JOIN tasks t ON t.id = q.task WHERE t.copies > 0)sql");
}

}  // namespace keel::feedback
