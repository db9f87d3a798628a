#include "keel/feedback/store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "keel/feedback/schema.h"
#include "temporary_folder.h"

namespace keel::feedback {
namespace {

// SQLite without Keel, as another program would use it.
class RawConnection {
 public:
  explicit RawConnection(const std::filesystem::path& path) { sqlite3_open(path.c_str(), &connection_); }
  ~RawConnection() { sqlite3_close(connection_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  // The error's text, or "".
  std::string run(const std::string& sql) {
    char* message = nullptr;
    sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, &message);
    const std::string result = message == nullptr ? "" : message;
    sqlite3_free(message);
    return result;
  }
  int64_t integer(const std::string& sql) {
    int64_t value = -1;
    sqlite3_exec(
        connection_, sql.c_str(),
        [](void* to, int, char** row, char**) {
          *static_cast<int64_t*>(to) = std::stoll(row[0]);
          return 0;
        },
        &value, nullptr);
    return value;
  }

 private:
  sqlite3* connection_ = nullptr;
};

class StoreTest : public testing::Test {
 protected:
  StoreTest() : path_(folder_ / "feedback.db"), store_(open_store(path_, Access::create)) {}

  int64_t reader() { return store_->add_annotator({.kind = AnnotatorKind::human, .name = "reader"}); }
  int64_t prompt(const std::string& text) { return store_->add_prompt({.text = text}); }
  int64_t completion(int64_t of_prompt, const std::string& text) {
    return store_->add_completion({.prompt = of_prompt, .passage = {.text = text}});
  }
  // A prompt with completions a, b, c, ...
  Judgement ranking(const std::string& text, std::vector<int64_t> ranks) {
    Judgement judgement{.annotator = reader(), .prompt = prompt(text)};
    for (size_t i = 0; i < ranks.size(); ++i)
      judgement.completions.push_back(
          completion(judgement.prompt, std::string(1, static_cast<char>('a' + i))));
    judgement.ranks = std::move(ranks);
    return judgement;
  }
  std::vector<JudgedRow> all() { return store_->judgements(Kinds::all, store_->last_event()); }

  TemporaryFolder folder_;
  std::filesystem::path path_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, NoProgramChangesOrRemovesARow) {
  store_->submit(ranking("p", {1, 2}), "key");
  RawConnection raw(path_);
  for (const std::string table :
       {"store", "events", "prompts", "completions", "annotators", "judgements", "judged"}) {
    const int64_t count = raw.integer("SELECT count(*) FROM " + table);
    EXPECT_GT(count, 0) << table;
    EXPECT_NE(raw.run("DELETE FROM " + table).find("append-only"), std::string::npos) << table;
    const std::string column = table == "store" ? "identity" : table == "judged" ? "rank" : "id";
    EXPECT_NE(raw.run("UPDATE " + table + " SET " + column + " = " + column).find("append-only"),
              std::string::npos)
        << table;
    if (table != "store") {
      EXPECT_NE(raw.run("INSERT OR REPLACE INTO " + table + " SELECT * FROM " + table).find("append-only"),
                std::string::npos)
          << table;
    }
    EXPECT_EQ(raw.integer("SELECT count(*) FROM " + table), count) << table;
  }
  EXPECT_EQ(raw.integer("SELECT rank FROM judged WHERE position = 1"), 2);
}

TEST_F(StoreTest, ManyProgramsMayMakeTheSameStoreAtOnce) {
  const std::filesystem::path path = folder_ / "new.db";
  std::vector<std::string> identities(6), errors(6);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < identities.size(); ++t)
    threads.emplace_back([&, t] {
      errors[t] = message_of([&] { identities[t] = open_store(path, Access::create)->identity(); });
    });
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 0; t < identities.size(); ++t) {
    EXPECT_EQ(errors[t], "");
    EXPECT_EQ(identities[t], identities[0]);
    EXPECT_EQ(identities[t].size(), 32u);
  }
  EXPECT_NE(identities[0], store_->identity());
}

TEST_F(StoreTest, AnOlderSchemaIsMigratedWithItsRows) {
  const std::filesystem::path path = folder_ / "old.db";
  {
    RawConnection raw(path);
    ASSERT_EQ(raw.run(sqlite_migrations()[0]), "");
    ASSERT_EQ(raw.run("PRAGMA user_version = 1; PRAGMA application_id = 1264936300"), "");
    ASSERT_EQ(raw.run("INSERT INTO prompts (text, hash) VALUES ('from version one', 'x')"), "");
    ASSERT_EQ(raw.run("UPDATE prompts SET hash = 'y'"), "");  // version one could still change rows
    ASSERT_EQ(
        raw.run(
            "INSERT INTO completions (prompt, text, hash, model, sampling) VALUES "
            "(1, 'a', 'ha', 'sft', '{}'), (1, 'b', 'hb', 'ppo', '{}'), (1, 'c', 'hc', 'sft', '{}');"
            "INSERT INTO annotators (kind, name, parameters) VALUES ('human', 'anna', '{}');"
            "INSERT INTO judgements (key, annotator, prompt, type, shown) VALUES ('k', 1, 1, 'ranking', 1);"
            "INSERT INTO judged VALUES (1, 0, 2, 1), (1, 1, 1, 2);"
            "INSERT INTO judgements (key, annotator, prompt, type, shown, corrects) VALUES "
            "('l', 1, 1, 'skip', 0, 1); INSERT INTO judged VALUES (2, 0, 2, NULL), (2, 1, 1, NULL)"),
        "");
  }
  EXPECT_NE(
      message_of([&] { open_store(path, Access::read); }).find("got schema 1: open it once for writing"),
      std::string::npos);
  const auto migrated = open_store(path, Access::write);
  EXPECT_EQ(migrated->prompt(1).text, "from version one");
  EXPECT_EQ(migrated->last_event(), 9);  // two of them are the models that completions named
  EXPECT_EQ(migrated->models().at(1).name, "ppo");
  const std::vector<JudgedRow> first = migrated->judgements(Kinds::all, 6);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].judgement,
            (Judgement{.annotator = 1, .prompt = 1, .completions = {2, 1}, .ranks = {1, 2}, .shown = true}));
  EXPECT_EQ(migrated->judgements(Kinds::all, 7).at(0).judgement.corrects, 1);
  EXPECT_EQ(migrated->add_rankings(3, 0), 1);
  RawConnection raw(path);
  EXPECT_EQ(raw.integer("PRAGMA user_version"), std::ssize(sqlite_migrations()));
  EXPECT_NE(raw.run("UPDATE prompts SET hash = 'z'").find("append-only"), std::string::npos);
}

TEST_F(StoreTest, OtherFilesAreRefusedAndLeftAsTheyWere) {
  const auto opening = [&](const std::string& name, Access access) {
    const std::string message = message_of([&] { open_store(folder_ / name, access); });
    EXPECT_EQ(message.find('\n'), std::string::npos);
    return message;
  };
  const std::string text = std::string(5000, 'x');
  folder_.write("text.db", text);
  EXPECT_NE(opening("text.db", Access::create)
                .find("text.db] expected a feedback store (SQLite), got another kind"),
            std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(folder_ / "text.db"), text.size());
  ASSERT_EQ(RawConnection(folder_ / "other.db").run("CREATE TABLE songs (title TEXT)"), "");
  EXPECT_NE(opening("other.db", Access::create).find("another program's SQLite file"), std::string::npos);
  EXPECT_EQ(RawConnection(folder_ / "other.db").integer("SELECT count(*) FROM sqlite_master"), 1);
  EXPECT_NE(opening("absent.db", Access::write).find("got no such file"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "absent.db"));
  EXPECT_NE(opening("no/such/folder.db", Access::create).find("[" + (folder_ / "no/such/folder.db").string()),
            std::string::npos);
  EXPECT_NE(message_of([&] { open_store("/tmp", Access::create); }).find("got a folder"), std::string::npos);
  folder_.write("empty.db", "");
  EXPECT_NE(opening("empty.db", Access::read).find("got an empty file"), std::string::npos);
}

TEST_F(StoreTest, ANewerSchemaIsRefused) {
  store_.reset();
  ASSERT_EQ(RawConnection(path_).run("PRAGMA user_version = 99"), "");
  EXPECT_NE(message_of([&] {
              open_store(path_, Access::write);
            }).find("got schema 99: it was written by a newer Keel"),
            std::string::npos);
}

TEST_F(StoreTest, DamagedPagesAreNamedNotTrusted) {
  for (int i = 0; i < 200; ++i) completion(prompt("p" + std::to_string(i)), std::string(200, 'x'));
  store_.reset();
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(1 << 15, '\x5a');
  }
  const std::string message = message_of([&] {
    const auto store = open_store(path_, Access::write);
    for (const int64_t id : store->prompts()) store->completions_of(id);
  });
  EXPECT_NE(message.find("feedback.db] expected a sound feedback store, got a damaged one"),
            std::string::npos);
}

TEST_F(StoreTest, AStoreOpenedForReadingRefusesToWrite) {
  const Judgement judgement = ranking("p", {1, 2});
  const auto reading = open_store(path_, Access::read);
  EXPECT_EQ(reading->size().completions, 2);
  const std::string message = message_of([&] { reading->submit(judgement, "k"); });
  EXPECT_NE(message.find("feedback.db] cannot write: the file or its folder is read-only"),
            std::string::npos);
  EXPECT_EQ(all().size(), 0u);
}

TEST_F(StoreTest, AFileWithoutTheRightToWriteIsOneLine) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become a user without rights";
  store_.reset();
  std::filesystem::permissions(path_.parent_path(), std::filesystem::perms(0755));
  std::filesystem::permissions(path_, std::filesystem::perms(0644));
  ASSERT_EQ(seteuid(65534), 0);
  const std::string writing = message_of([&] { open_store(path_, Access::write); });
  const std::string making = message_of([&] { open_store(folder_ / "new.db", Access::create); });
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_NE(writing.find("feedback.db] cannot write: the file or its folder is read-only"), std::string::npos)
      << writing;
  EXPECT_NE(making.find("new.db] "), std::string::npos) << making;
  EXPECT_EQ(making.find('\n'), std::string::npos);
}

// The kernel refuses to let any file grow beyond a limit: writes fail as on a bad disk. (A full one:
// test_label_crash.)
TEST_F(StoreTest, AFailingDiskIsAnErrorAndNothingAcknowledgedIsLost) {
  Judgement judgement = ranking("p", {1, 2});
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = 600'000, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::set<std::string> acknowledged;
  std::string message;
  for (int i = 0; i < 2000 && message.empty(); ++i) {
    const std::string key = std::to_string(i) + std::string(150, 'k');
    message = message_of([&] { store_->submit(judgement, key); });
    if (message.empty()) acknowledged.insert(key);
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_NE(message.find("feedback.db] "), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
  ASSERT_FALSE(acknowledged.empty());
  for (const auto& store : {open_store(path_, Access::write)}) {
    std::set<std::string> kept;
    for (const JudgedRow& row : store->judgements(Kinds::all, store->last_event())) kept.insert(row.key);
    for (const std::string& key : acknowledged) EXPECT_TRUE(kept.count(key));
  }
  store_->submit(judgement, "after the disk is well again");
}

}  // namespace
}  // namespace keel::feedback
