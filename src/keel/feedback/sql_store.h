// The store over a Database. All SQL of Keel is in sql_*.cpp and schema_text.cpp; sql_store.cpp keeps what
// was said and judged, sql_tasks.cpp what is asked of whom, sql_archive.cpp writes and reads everything.
#pragma once

#include <array>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "keel/feedback/database.h"
#include "keel/feedback/store.h"

namespace keel::feedback {

class SqlStore : public Store {
 public:
  explicit SqlStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  std::string identity() override;
  Size size() override;
  int64_t add_prompt(const Passage& prompt) override;
  int64_t add_completion(const Completion& completion) override;
  int64_t add_annotator(const Annotator& annotator) override;
  Annotator annotator(int64_t id) override;
  Passage prompt(int64_t id) override;
  Completion completion(int64_t id) override;
  std::vector<int64_t> prompts() override;
  std::vector<Completion> completions_of(int64_t prompt) override;
  int64_t add_model(const Model& model) override;
  std::vector<Model> models() override;
  int64_t add_guidelines(const std::string& text) override;
  std::pair<int64_t, std::string> guidelines() override;

  int64_t add_task(const Task& task) override;
  Task task(int64_t id) override;
  std::vector<int64_t> tasks() override;
  std::vector<int64_t> tasks_behind(int64_t task) override;
  int64_t add_rankings(int64_t width, int64_t copies) override;
  void set_priority(int64_t task, double priority) override;
  std::optional<Lease> claim(const Claim& claim) override;
  void release(int64_t annotator, const std::string& holder) override;
  std::vector<Lease> leases(int64_t now) override;
  Progress progress(int64_t annotator) override;
  int64_t missing_answers() override;

  Receipt submit(const Judgement& judgement, const std::string& key) override;
  void return_judgement(int64_t judgement, const std::string& note, const std::string& returned_by) override;
  std::optional<Returned> returned_to(int64_t annotator) override;
  void keep_returned(int64_t judgement, int64_t annotator) override;
  void in_one_commit(const std::function<void()>& work) override;
  int64_t last_event() override;
  std::vector<JudgedRow> judgements(Kinds kinds, int64_t last_event) override;
  std::vector<JudgedRow> judgements_of_task(int64_t task) override;
  std::optional<JudgedRow> judgement_of_key(const std::string& key) override;
  std::optional<Judgement> first_answer(int64_t task, int64_t annotator) override;
  void redact(const std::string& kind, int64_t id, const std::string& reason,
              const std::string& requested_by) override;
  void write_archive(const std::filesystem::path& path) override;
  void read_archive(const std::filesystem::path& path) override;

 private:
  template <class Work>
  auto reading(const Work& work) {
    const std::lock_guard lock(mutex_);
    decltype(work()) result{};
    database_->read([&] { result = work(); });
    return result;
  }
  template <class Work>
  auto writing(const Work& work) {
    const std::lock_guard lock(mutex_);
    decltype(work()) result{};
    database_->write([&] { result = work(); });
    return result;
  }

  void add_event(const char* kind, int64_t subject);
  int64_t newest_event();
  void require(const char* what, const char* count_sql, int64_t id);
  std::vector<int64_t> integers(std::unique_ptr<Rows> rows);

  std::optional<Receipt> receipt_of(const std::string& key);
  void check_against_store(const Judgement& judgement);
  void check_task(const Judgement& judgement);
  void check_correction(const Judgement& judgement);
  int64_t insert(const Judgement& judgement, const std::string& key);
  Judgement judgement_at(int64_t id);
  Annotator annotator_at(int64_t id);
  std::vector<JudgedRow> judged_rows(const std::unique_ptr<Rows>& found);

  void take_out(const std::string& kind, int64_t id);

  void check_task(const Task& task);
  int64_t add_rankings_of(int64_t prompt, const std::vector<int64_t>& fresh, int64_t width, int64_t copies);
  std::optional<int64_t> next_task(const Claim& claim);
  void queue_if_wanted(int64_t task);

  // Recursive: in_one_commit calls back into the store.
  std::recursive_mutex mutex_;
  std::unique_ptr<Database> database_;
};

[[noreturn]] void refuse_id(const char* what, int64_t id);

}  // namespace keel::feedback
