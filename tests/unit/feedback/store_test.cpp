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

TEST_F(StoreTest, GivesBackWhatWasPutIn) {
  const Passage both{.text = "caf\xC3\xA9\n", .ids = {0, 7, 1LL << 40}, .has_ids = true};
  const int64_t id = store_->add_prompt(both);
  const int64_t answer = store_->add_completion({.prompt = id,
                                                 .passage = {.text = "", .ids = {3}, .has_ids = true},
                                                 .model = "tiny",
                                                 .sampling = {{"temperature", 0.7}},
                                                 .logps = {-0.125}});
  EXPECT_EQ(store_->prompt(id), both);
  const Completion completion = store_->completion(answer);
  EXPECT_EQ(completion.prompt, id);
  EXPECT_EQ(completion.passage, (Passage{.text = "", .ids = {3}, .has_ids = true}));
  EXPECT_EQ(completion.model, "tiny");
  EXPECT_EQ(completion.sampling["temperature"], 0.7);
  EXPECT_EQ(completion.logps, (std::vector<double>{-0.125}));
}

TEST_F(StoreTest, SamePromptAndAnnotatorHaveOneIdButSamplesAreAllKept) {
  EXPECT_EQ(prompt("p"), prompt("p"));
  EXPECT_NE(prompt("p"), store_->add_prompt({.text = "p", .ids = {1}, .has_ids = true}));
  EXPECT_NE(store_->add_prompt({.text = "", .ids = {1}, .has_ids = true}),
            store_->add_prompt({.text = "", .ids = {2}, .has_ids = true}));
  EXPECT_EQ(reader(), reader());
  EXPECT_NE(reader(), store_->add_annotator({.kind = AnnotatorKind::simulated, .name = "reader"}));
  EXPECT_NE(completion(prompt("p"), "same"), completion(prompt("p"), "same"));
  EXPECT_EQ(store_->completions_of(prompt("p")).size(), 2u);
}

TEST_F(StoreTest, SameKeyGivesTheSameReceiptAndAddsNothing) {
  const Judgement judgement = ranking("p", {1, 2});
  const Receipt first = store_->submit(judgement, "key");
  const int64_t event = store_->last_event();
  EXPECT_EQ(first.event, event);
  EXPECT_EQ(store_->submit(judgement, "key"), first);
  EXPECT_EQ(store_->last_event(), event);
  EXPECT_EQ(open_store(path_, Access::write)->submit(judgement, "key"), first);
  EXPECT_EQ(all().size(), 1u);
  EXPECT_NE(store_->submit(judgement, "another key"), first);
}

TEST_F(StoreTest, UsedKeyRefusesAnyOtherJudgement) {
  const Judgement judgement = ranking("p", {1, 2});
  store_->submit(judgement, "key");
  std::vector<Judgement> others(5, judgement);
  others[0].ranks = {2, 1};
  others[1].shown = true;
  std::swap(others[2].completions[0], others[2].completions[1]);
  others[3].annotator = store_->add_annotator({.kind = AnnotatorKind::ai, .name = "x"});
  others[4].type = JudgementType::skip, others[4].ranks.clear();
  for (const Judgement& other : others) EXPECT_THROW(store_->submit(other, "key"), Refused);
  EXPECT_EQ(all().size(), 1u);
  EXPECT_EQ(all()[0].judgement, judgement);
}

TEST_F(StoreTest, JudgementsThatDoNotFitAreRefusedAndLeaveNothing) {
  const Judgement good = ranking("p", {1, 2});
  const int64_t stranger = completion(prompt("q"), "elsewhere");
  const Size before = store_->size();
  const auto refused = [&](const std::function<void(Judgement&)>& change, const std::string& key = "k") {
    Judgement judgement = good;
    change(judgement);
    EXPECT_THROW(store_->submit(judgement, key), Refused);
  };
  refused([&](Judgement& j) { j.completions[0] = stranger; });
  refused([](Judgement& j) { j.completions[0] = 999; });
  refused([](Judgement& j) { j.completions[0] = j.completions[1]; });
  refused([](Judgement& j) { j.annotator = 99; });
  refused([](Judgement& j) { j.prompt = 99; });
  refused([](Judgement& j) { j.ranks.pop_back(); });
  refused([](Judgement& j) { j.ranks[0] = 0; });
  refused([](Judgement& j) { j.completions.pop_back(), j.ranks.pop_back(); });
  refused([](Judgement& j) { j.completions.clear(), j.ranks.clear(); });
  refused([](Judgement& j) { j.label = true; });
  refused([](Judgement& j) { j.type = JudgementType::label, j.label = true, j.ranks.clear(); });
  refused([](Judgement& j) { j.type = JudgementType::skip; });
  refused([](Judgement& j) { j.corrects = 1; });
  refused([](Judgement&) {}, "");
  refused([](Judgement&) {}, std::string(201, 'k'));
  EXPECT_THROW(completion(99, "no prompt"), Refused);
  EXPECT_THROW(completion(good.prompt, ""), Refused);
  EXPECT_EQ(store_->size().last_event, before.last_event);
  store_->submit(good, "k");
}

TEST_F(StoreTest, RankingsLabelsAndSkipsComeBackInTheOrderOfEvents) {
  const Judgement ranked = ranking("p", {2, 1, 2});
  Judgement label{.annotator = ranked.annotator, .prompt = ranked.prompt, .type = JudgementType::label};
  label.completions = {ranked.completions[2]}, label.label = false;
  Judgement skip{.annotator = ranked.annotator, .prompt = ranked.prompt, .type = JudgementType::skip};
  skip.completions = {ranked.completions[1], ranked.completions[0]}, skip.shown = true;
  store_->submit(label, "1"), store_->submit(ranked, "2"), store_->submit(skip, "3");
  const std::vector<JudgedRow> rows = all();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].judgement, label);
  EXPECT_EQ(rows[1].judgement, ranked);
  EXPECT_EQ(rows[2].judgement, skip);
  EXPECT_EQ(rows[1].key, "2");
  EXPECT_EQ(rows[1].prompt.text, "p");
  EXPECT_EQ(rows[1].completions[2].passage.text, "c");
  EXPECT_LT(rows[0].receipt.event, rows[1].receipt.event);
}

TEST_F(StoreTest, APinnedEventReadsTheSameWhateverComesLater) {
  const Judgement first = ranking("p", {1, 2});
  store_->submit(first, "1");
  const int64_t pinned = store_->last_event();
  Judgement correction = first;
  correction.ranks = {2, 1};
  correction.corrects = all()[0].receipt.judgement;
  store_->submit(correction, "2");
  store_->submit(ranking("q", {1, 2}), "3");

  const std::vector<JudgedRow> then = store_->judgements(Kinds::all, pinned);
  ASSERT_EQ(then.size(), 1u);
  EXPECT_EQ(then[0].judgement.ranks, (std::vector<int64_t>{1, 2}));
  const std::vector<JudgedRow> now = all();
  ASSERT_EQ(now.size(), 2u);
  EXPECT_EQ(now[0].judgement.ranks, (std::vector<int64_t>{2, 1}));
  EXPECT_THROW(store_->submit(correction, "4"), Refused);  // a second correction of the same row
  EXPECT_EQ(store_->progress(first.annotator).done, 2);
}

TEST_F(StoreTest, KindsAreNeverMixedUnlessAskedFor) {
  Judgement judgement = ranking("p", {1, 2});
  for (const AnnotatorKind kind : {AnnotatorKind::human, AnnotatorKind::simulated, AnnotatorKind::ai}) {
    judgement.annotator = store_->add_annotator({.kind = kind, .name = "n", .parameters = {{"beta", 2}}});
    store_->submit(judgement, annotator_kind_name(kind));
  }
  for (const char* kind : {"human", "simulated", "ai"}) {
    const std::vector<JudgedRow> rows = store_->judgements(kinds_named(kind), store_->last_event());
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].annotator.kind, annotator_kind(kind));
    EXPECT_EQ(rows[0].annotator.parameters["beta"], 2);
  }
  EXPECT_EQ(store_->judgements(kinds_named("all"), store_->last_event()).size(), 3u);
  EXPECT_THROW(kinds_named("people"), UsageError);
  EXPECT_THROW(annotator_kind("all"), UsageError);
}

TEST_F(StoreTest, ClaimsGiveEveryPairOnceAndLeasesExpire) {
  const int64_t annotator = reader();
  for (const char* text : {"p", "q"})
    for (const char* answer : {"a", "b"}) completion(prompt(text), answer);
  completion(prompt("lonely"), "one completion is no task");
  const auto claim = [&](const std::string& holder, int64_t now) {
    return store_->claim({.annotator = annotator, .holder = holder, .now = now, .seconds = 60});
  };
  EXPECT_EQ(store_->progress(annotator).remaining, 2);
  const auto first = claim("tab 1", 1000);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->completions.size(), 2u);
  EXPECT_EQ(first->expires, 1060);
  EXPECT_EQ(claim("tab 1", 1001)->prompt, first->prompt);  // the answer was lost: the same task again
  const auto second = claim("tab 2", 1001);
  ASSERT_TRUE(second);
  EXPECT_NE(second->prompt, first->prompt);
  EXPECT_FALSE(claim("tab 3", 1002));
  store_->release(annotator, "tab 2");
  EXPECT_EQ(claim("tab 3", 1003)->prompt, second->prompt);
  store_->release(annotator, "tab 3");
  EXPECT_EQ(claim("tab 3", 1061)->prompt, first->prompt);
  store_->submit(
      {.annotator = annotator, .prompt = first->prompt, .completions = first->completions, .ranks = {1, 1}},
      "1");
  store_->submit({.annotator = annotator,
                  .prompt = second->prompt,
                  .type = JudgementType::skip,
                  .completions = second->completions},
                 "2");
  EXPECT_FALSE(claim("tab 1", 5000));
  EXPECT_EQ(store_->progress(annotator).done, 2);
  EXPECT_EQ(store_->progress(annotator).remaining, 0);
  EXPECT_EQ(store_->progress(store_->add_annotator({.name = "someone else"})).remaining, 2);
}

TEST_F(StoreTest, TasksShowDifferentTextsTheUnjudgedOnesFirst) {
  const int64_t annotator = reader(), p = prompt("p");
  for (const char* text : {"a", "a", "b", "c", "c"}) completion(p, text);
  for (const char* text : {"same", "same"}) completion(prompt("nothing to compare"), text);
  std::set<std::string> judged;
  EXPECT_EQ(store_->progress(annotator).remaining, 2);
  for (int round = 0; round < 2; ++round) {
    const auto task = store_->claim({.annotator = annotator, .now = 0});
    ASSERT_TRUE(task);
    std::set<std::string> texts;
    for (const int64_t id : task->completions) texts.insert(store_->completion(id).passage.text);
    EXPECT_EQ(texts.size(), 2u);
    judged.insert(texts.begin(), texts.end());
    store_->submit({.annotator = annotator, .prompt = p, .completions = task->completions, .ranks = {1, 2}},
                   std::to_string(round));
    EXPECT_EQ(store_->progress(annotator).remaining, 1 - round);
  }
  EXPECT_EQ(judged, (std::set<std::string>{"a", "b", "c"}));
  EXPECT_FALSE(store_->claim({.annotator = annotator, .now = 0}));
  EXPECT_THROW(store_->claim({.annotator = annotator, .width = 1}), Refused);
  EXPECT_THROW(store_->claim({.annotator = 99}), Refused);
}

TEST_F(StoreTest, ACommitHoldsAllOrNothing) {
  const Judgement judgement = ranking("p", {1, 2});
  const Size before = store_->size();
  EXPECT_THROW(store_->in_one_commit([&] {
    prompt("lost");
    store_->submit(judgement, "lost");
    throw Error("test", "stop");
  }),
               Error);
  EXPECT_EQ(store_->size().last_event, before.last_event);
  EXPECT_EQ(store_->size().prompts, before.prompts);
  store_->in_one_commit([&] { store_->submit(judgement, "kept"); });
  EXPECT_EQ(open_store(path_, Access::read)->size().judgements, 1);
}

TEST_F(StoreTest, TextThatLooksLikeSqlIsText) {
  const std::string hostile = "'); DROP TABLE judgements; -- \" ?1 :x \\ %s";
  const std::string bytes("nul \0 and broken \xff\xfe", 18);
  const int64_t annotator = store_->add_annotator(
      {.kind = AnnotatorKind::human, .name = hostile, .parameters = {{hostile, hostile}}});
  Judgement judgement{.annotator = annotator, .prompt = prompt(hostile)};
  judgement.completions = {completion(judgement.prompt, hostile), completion(judgement.prompt, bytes)};
  judgement.ranks = {1, 2};
  const Receipt receipt = store_->submit(judgement, hostile);
  EXPECT_EQ(store_->submit(judgement, hostile), receipt);
  store_->claim({.annotator = annotator, .holder = hostile, .now = 1});
  const std::vector<JudgedRow> rows = all();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].key, hostile);
  EXPECT_EQ(rows[0].annotator.name, hostile);
  EXPECT_EQ(rows[0].prompt.text, hostile);
  EXPECT_EQ(rows[0].completions[1].passage.text, bytes);
}

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

TEST_F(StoreTest, TwoConnectionsWriteAtOnceAndLoseNothing) {
  const Judgement judgement = ranking("p", {1, 2});
  constexpr int kEach = 40;
  std::vector<Receipt> receipts[2];
  const auto write = [&](int writer) {
    const auto own = open_store(path_, Access::write);
    for (int i = 0; i < kEach; ++i)
      receipts[writer].push_back(own->submit(judgement, std::to_string(writer) + "-" + std::to_string(i)));
  };
  std::thread other(write, 1);
  write(0);
  other.join();
  std::set<int64_t> events;
  for (const auto& own : receipts) {
    ASSERT_EQ(own.size(), static_cast<size_t>(kEach));
    for (size_t i = 1; i < own.size(); ++i) EXPECT_LT(own[i - 1].event, own[i].event);
    for (const Receipt& receipt : own) events.insert(receipt.event);
  }
  EXPECT_EQ(events.size(), 2u * kEach);
  EXPECT_EQ(all().size(), 2u * kEach);
}

TEST_F(StoreTest, ThreadsMayShareOneStore) {
  const Judgement judgement = ranking("p", {1, 2});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        store_->submit(judgement, "shared-" + std::to_string(i));  // all four race for the same keys
        store_->submit(judgement, std::to_string(t) + "-" + std::to_string(i));
        store_->claim({.annotator = judgement.annotator, .holder = std::to_string(t), .now = i});
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(all().size(), 50u);
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
    ASSERT_EQ(raw.run(migrations()[0]), "");
    ASSERT_EQ(raw.run("PRAGMA user_version = 1; PRAGMA application_id = 1264936300"), "");
    ASSERT_EQ(raw.run("INSERT INTO prompts (text, hash) VALUES ('from version one', 'x')"), "");
    ASSERT_EQ(raw.run("UPDATE prompts SET hash = 'y'"), "");  // version one could still change rows
  }
  EXPECT_NE(
      message_of([&] { open_store(path, Access::read); }).find("got schema 1: open it once for writing"),
      std::string::npos);
  const auto migrated = open_store(path, Access::write);
  EXPECT_EQ(migrated->prompt(1).text, "from version one");
  EXPECT_EQ(migrated->last_event(), 1);
  RawConnection raw(path);
  EXPECT_EQ(raw.integer("PRAGMA user_version"), static_cast<int64_t>(migrations().size()));
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
  EXPECT_THROW(open_store("postgresql://localhost/keel", Access::create), UsageError);
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
