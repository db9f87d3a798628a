// What every store does, whatever database it lies in.
#include <cmath>
#include <functional>
#include <set>
#include <thread>

#include "feedback/store_backends.h"
#include "keel/base/files.h"
#include "keel/feedback/store.h"

namespace keel::feedback {
namespace {

class StoreConformance : public testing::TestWithParam<Backend> {
 protected:
  StoreConformance() : place_(GetParam()) {}
  void SetUp() override {
    if (place_.missing()) GTEST_SKIP() << "no KEEL_TEST_POSTGRES: python tests/postgres.py COMMAND";
    where_ = place_.fresh();
    store_ = open_store(where_, Access::create);
  }
  void TearDown() override { store_.reset(); }

  int64_t annotator(const std::string& name) {
    return store_->add_annotator({.kind = AnnotatorKind::human, .name = name});
  }
  int64_t reader() { return annotator("reader"); }
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
  std::optional<Lease> claim(int64_t who, const std::string& holder, int64_t now) {
    return store_->claim({.annotator = who, .holder = holder, .now = now, .seconds = 60});
  }
  // The answer to a ranking task that puts its completions in the order they have there.
  Receipt answer(int64_t task_id, int64_t who, JudgementType type = JudgementType::ranking) {
    const Task task = store_->task(task_id);
    Judgement judgement{.annotator = who, .prompt = task.prompt, .task = task_id, .type = type};
    judgement.completions = task.completions;
    if (type == JudgementType::ranking)
      for (size_t i = 0; i < task.completions.size(); ++i)
        judgement.ranks.push_back(static_cast<int64_t>(i) + 1);
    return store_->submit(judgement, "answer " + std::to_string(task_id) + " of " + std::to_string(who));
  }
  std::vector<JudgedRow> all() { return store_->judgements(Kinds::all, store_->last_event()); }

  StorePlace place_;
  std::string where_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreConformance, GivesBackWhatWasPutIn) {
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

TEST_P(StoreConformance, SamePromptAndAnnotatorHaveOneIdButSamplesAreAllKept) {
  EXPECT_EQ(prompt("p"), prompt("p"));
  EXPECT_NE(prompt("p"), store_->add_prompt({.text = "p", .ids = {1}, .has_ids = true}));
  EXPECT_NE(store_->add_prompt({.text = "", .ids = {1}, .has_ids = true}),
            store_->add_prompt({.text = "", .ids = {2}, .has_ids = true}));
  EXPECT_EQ(reader(), reader());
  EXPECT_NE(reader(), store_->add_annotator({.kind = AnnotatorKind::simulated, .name = "reader"}));
  EXPECT_NE(completion(prompt("p"), "same"), completion(prompt("p"), "same"));
  EXPECT_EQ(store_->completions_of(prompt("p")).size(), 2u);
}

TEST_P(StoreConformance, SameKeyGivesTheSameReceiptAndAddsNothing) {
  const Judgement judgement = ranking("p", {1, 2});
  const Receipt first = store_->submit(judgement, "key");
  const int64_t event = store_->last_event();
  EXPECT_EQ(first.event, event);
  EXPECT_EQ(store_->submit(judgement, "key"), first);
  EXPECT_EQ(store_->last_event(), event);
  EXPECT_EQ(open_store(where_, Access::write)->submit(judgement, "key"), first);
  EXPECT_EQ(all().size(), 1u);
  EXPECT_NE(store_->submit(judgement, "another key"), first);
}

TEST_P(StoreConformance, UsedKeyRefusesAnyOtherJudgement) {
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

TEST_P(StoreConformance, JudgementsThatDoNotFitAreRefusedAndLeaveNothing) {
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

TEST_P(StoreConformance, RankingsLabelsAndSkipsComeBackInTheOrderOfEvents) {
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

TEST_P(StoreConformance, APinnedEventReadsTheSameWhateverComesLater) {
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

TEST_P(StoreConformance, KindsAreNeverMixedUnlessAskedFor) {
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

TEST_P(StoreConformance, ACommitHoldsAllOrNothing) {
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
  EXPECT_EQ(open_store(where_, Access::read)->size().judgements, 1);
}

TEST_P(StoreConformance, TextThatLooksLikeSqlIsText) {
  const std::string hostile = "'); DROP TABLE judgements; -- \" ?1 :x \\ %s";
  const std::string bytes("nul \0 and broken \xff\xfe", 18);
  const int64_t annotator = store_->add_annotator(
      {.kind = AnnotatorKind::human, .name = hostile, .parameters = {{hostile, hostile}}});
  Judgement judgement{.annotator = annotator, .prompt = prompt(hostile)};
  judgement.completions = {completion(judgement.prompt, hostile), completion(judgement.prompt, bytes)};
  judgement.ranks = {1, 2};
  const Receipt receipt = store_->submit(judgement, hostile);
  EXPECT_EQ(store_->submit(judgement, hostile), receipt);
  store_->add_rankings(2, 0);
  store_->claim({.annotator = annotator, .holder = hostile, .now = 1});
  EXPECT_EQ(store_->leases(1).at(0).holder, hostile);
  const std::vector<JudgedRow> rows = all();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].key, hostile);
  EXPECT_EQ(rows[0].annotator.name, hostile);
  EXPECT_EQ(rows[0].prompt.text, hostile);
  EXPECT_EQ(rows[0].completions[1].passage.text, bytes);
}

TEST_P(StoreConformance, TwoConnectionsWriteAtOnceAndLoseNothing) {
  const Judgement judgement = ranking("p", {1, 2});
  constexpr int kEach = 40;
  std::vector<Receipt> receipts[2];
  const auto write = [&](int writer) {
    const auto own = open_store(where_, Access::write);
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

TEST_P(StoreConformance, ThreadsMayShareOneStore) {
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

TEST_P(StoreConformance, TasksGoToEveryAnnotatorOnceAndLeasesEnd) {
  const int64_t who = reader();
  for (const char* text : {"p", "q"})
    for (const char* answer : {"a", "b"}) completion(prompt(text), answer);
  completion(prompt("lonely"), "one completion is no task");
  EXPECT_EQ(store_->add_rankings(2, 0), 2);
  EXPECT_EQ(store_->add_rankings(2, 0), 0);
  EXPECT_EQ(store_->progress(who).remaining, 2);
  const auto first = claim(who, "tab 1", 1000);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->expires, 1060);
  EXPECT_EQ(claim(who, "tab 1", 1001)->task, first->task);  // the answer was lost: the same task again
  const auto second = claim(who, "tab 2", 1001);
  ASSERT_TRUE(second);
  EXPECT_NE(second->task, first->task);
  EXPECT_FALSE(claim(who, "tab 3", 1002));
  EXPECT_EQ(store_->leases(1002).size(), 2u);
  store_->release(who, "tab 2");
  EXPECT_EQ(claim(who, "tab 3", 1003)->task, second->task);
  store_->release(who, "tab 3");
  EXPECT_EQ(claim(who, "tab 3", 1062)->task, first->task);  // the first lease ended at 1061
  answer(first->task, who);
  answer(second->task, who, JudgementType::skip);
  EXPECT_FALSE(claim(who, "tab 1", 5000));
  EXPECT_TRUE(store_->leases(1062).empty());
  EXPECT_EQ(store_->progress(who).done, 2);
  EXPECT_EQ(store_->progress(who).remaining, 0);
  EXPECT_EQ(store_->progress(annotator("someone else")).remaining, 2);
}

TEST_P(StoreConformance, NoMoreCopiesAreHandedOutThanATaskAsksFor) {
  for (const char* text : {"a", "b"}) completion(prompt("p"), text);
  store_->add_rankings(2, 2);
  const int64_t ann = annotator("ann"), bob = annotator("bob"), cleo = annotator("cleo");
  const auto first = claim(ann, "a", 0), second = claim(bob, "b", 1);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(claim(cleo, "c", 2));
  answer(first->task, ann);
  EXPECT_FALSE(claim(cleo, "c", 3));
  EXPECT_TRUE(claim(cleo, "c", 62));  // bob went away: his task returns
  store_->release(cleo, "c");
  answer(first->task, bob, JudgementType::skip);
  ASSERT_TRUE(claim(cleo, "c", 63));  // a skip is no answer
  answer(first->task, cleo);
  EXPECT_FALSE(claim(annotator("dora"), "d", 64));
  EXPECT_EQ(store_->progress(annotator("dora")).remaining, 0);
}

TEST_P(StoreConformance, ACorrectedAnswerMayOpenItsTaskAgain) {
  for (const char* text : {"a", "b"}) completion(prompt("p"), text);
  store_->add_rankings(2, 1);
  const int64_t ann = annotator("ann"), bob = annotator("bob");
  const int64_t task = claim(ann, "a", 0)->task;
  const Receipt receipt = answer(task, ann);
  EXPECT_FALSE(claim(bob, "b", 1));
  Judgement withdrawn = all()[0].judgement;
  withdrawn.type = JudgementType::skip, withdrawn.ranks.clear(), withdrawn.corrects = receipt.judgement;
  store_->submit(withdrawn, "withdrawn");
  EXPECT_FALSE(claim(ann, "a", 2));
  EXPECT_EQ(claim(bob, "b", 2)->task, task);
}

TEST_P(StoreConformance, RankingsShowDifferentTextsAndAskAboutEachOne) {
  const int64_t p = prompt("p");
  for (const char* text : {"a", "a", "b", "c", "c"}) completion(p, text);
  for (const char* text : {"same", "same"}) completion(prompt("nothing to compare"), text);
  EXPECT_EQ(store_->add_rankings(2, 0), 2);
  std::set<std::string> asked;
  for (const int64_t id : store_->tasks()) {
    std::set<std::string> texts;
    for (const int64_t one : store_->task(id).completions) texts.insert(store_->completion(one).passage.text);
    EXPECT_EQ(texts.size(), 2u);
    asked.insert(texts.begin(), texts.end());
  }
  EXPECT_EQ(asked, (std::set<std::string>{"a", "b", "c"}));
  for (const char* text : {"d", "e", "f"}) completion(p, text);
  EXPECT_EQ(store_->add_rankings(4, 0), 1);
  EXPECT_EQ(store_->task(store_->tasks().back()).completions.size(), 3u);
  EXPECT_THROW(store_->add_rankings(1, 0), Refused);
  EXPECT_THROW(store_->add_rankings(10, 0), Refused);
}

TEST_P(StoreConformance, PriorityComesFirst) {
  for (int i = 0; i < 6; ++i)
    for (const char* text : {"a", "b"}) completion(prompt("p" + std::to_string(i)), text);
  store_->add_rankings(2, 0);
  const int64_t usual = claim(reader(), "h", 0)->task;
  store_->release(reader(), "h");
  const int64_t urgent = usual == 4 ? 3 : 4;
  store_->set_priority(urgent, 0.5);
  EXPECT_EQ(claim(reader(), "h", 1)->task, urgent);
  EXPECT_THROW(store_->set_priority(99, 1), Refused);
  EXPECT_THROW(store_->set_priority(1, std::nan("")), Refused);
}

TEST_P(StoreConformance, EveryTypeOfJudgementComesBackWhole) {
  const Judgement ranked = [&] {
    Judgement judgement = ranking("p", {2, 1, 2});
    judgement.strength = 3, judgement.none_acceptable = true, judgement.seconds = 12.25;
    judgement.guideline = store_->add_guidelines("Prefer the truth.");
    return judgement;
  }();
  const auto one = [&](JudgementType type) {
    return Judgement{.annotator = ranked.annotator, .prompt = ranked.prompt, .type = type};
  };
  Judgement rating = one(JudgementType::rating), demonstration = one(JudgementType::demonstration),
            edit = one(JudgementType::edit), flag = one(JudgementType::flag),
            comment = one(JudgementType::comment), skip = one(JudgementType::skip);
  rating.completions = edit.completions = {ranked.completions[0]};
  rating.ratings = {{"helpful", 4}, {"honest", 0.1}};
  demonstration.text = "Written \xE2\x80\x9Chere\xE2\x80\x9D.", edit.text = "Mended.";
  flag.text = "names a person", comment.text = "odd", skip.text = "not my field";
  const std::vector<Judgement> given = {ranked, rating, demonstration, edit, flag, comment, skip};
  for (size_t i = 0; i < given.size(); ++i) store_->submit(given[i], std::to_string(i));
  const std::vector<JudgedRow> rows = all();
  ASSERT_EQ(rows.size(), given.size());
  for (size_t i = 0; i < given.size(); ++i) {
    EXPECT_EQ(rows[i].judgement, given[i]) << judgement_type_name(given[i].type);
    EXPECT_EQ(store_->submit(given[i], std::to_string(i)), rows[i].receipt);
    EXPECT_GT(rows[i].at, 1'700'000'000);
  }
  EXPECT_EQ(store_->progress(ranked.annotator).done, 5);  // flags and comments come beside the work
}

TEST_P(StoreConformance, AnswersThatDoNotFitTheirTypeOrTaskAreRefused) {
  const Judgement ranked = ranking("p", {1, 2});
  const int64_t task = store_->add_task(
      {.kind = TaskKind::rating, .prompt = ranked.prompt, .completions = {ranked.completions[0]}});
  Judgement good{.annotator = ranked.annotator, .prompt = ranked.prompt, .task = task};
  good.type = JudgementType::rating, good.completions = {ranked.completions[0]};
  good.ratings = {{"helpful", 1}};
  int number = 0;
  const auto refused = [&](const std::function<void(Judgement&)>& change) {
    Judgement judgement = good;
    change(judgement);
    EXPECT_THROW(store_->submit(judgement, "bad " + std::to_string(++number)), Refused) << number;
  };
  refused([](Judgement& j) { j.ratings.clear(); });
  refused([](Judgement& j) { j.ratings = {{"", 1}}; });
  refused([](Judgement& j) { j.ratings = {{"helpful", std::nan("")}}; });
  refused([](Judgement& j) { j.strength = 1; });
  refused([](Judgement& j) { j.text = "x"; });
  refused([](Judgement& j) { j.seconds = -1; });
  refused([](Judgement& j) { j.guideline = 7; });
  refused([](Judgement& j) { j.task = 99; });
  refused([&](Judgement& j) { j.completions = {ranked.completions[1]}; });
  refused([&](Judgement& j) { j = ranked, j.task = task; });
  refused([](Judgement& j) { j.type = JudgementType::edit, j.ratings.clear(); });
  refused([&](Judgement& j) { j = ranked, j.strength = 4; });
  refused([](Judgement& j) { j.type = JudgementType::comment, j.ratings.clear(); });
  store_->submit(good, "good");
  refused([](Judgement&) {});  // a second answer to one task
  EXPECT_THROW(store_->add_task({.prompt = ranked.prompt, .completions = {ranked.completions[0]}}), Refused);
  EXPECT_THROW(store_->add_task({.prompt = 99, .completions = ranked.completions}), Refused);
  EXPECT_THROW(store_->add_task({.prompt = prompt("q"), .completions = ranked.completions}), Refused);
  EXPECT_THROW(store_->add_task({.prompt = ranked.prompt, .completions = ranked.completions, .copies = -1}),
               Refused);
  EXPECT_EQ(all().size(), 1u);
}

TEST_P(StoreConformance, ModelsHaveVersionsAndParents) {
  store_->add_model({.name = "sft"});
  store_->add_model({.name = "ppo-1", .version = 1, .parent = "sft", .details = {{"beta", 0.1}}});
  store_->add_completion({.prompt = prompt("p"), .passage = {.text = "a"}, .model = "ppo-2"});
  EXPECT_EQ(store_->add_model({.name = "sft", .version = 9}), 1);  // what was said first stands
  EXPECT_THROW(store_->add_model({.name = "x", .parent = "nobody"}), Refused);
  EXPECT_THROW(store_->add_model({}), Refused);
  const std::vector<Model> models = store_->models();
  ASSERT_EQ(models.size(), 3u);
  EXPECT_EQ(models[0], Model{.name = "sft"});
  EXPECT_EQ(models[1], (Model{.name = "ppo-1", .version = 1, .parent = "sft", .details = {{"beta", 0.1}}}));
  EXPECT_EQ(models[2], Model{.name = "ppo-2"});
}

TEST_P(StoreConformance, GuidelinesHaveVersions) {
  EXPECT_EQ(store_->guidelines(), (std::pair<int64_t, std::string>{0, ""}));
  EXPECT_EQ(store_->add_guidelines("one"), 1);
  EXPECT_EQ(store_->add_guidelines("one"), 1);
  EXPECT_EQ(store_->add_guidelines("two"), 2);
  EXPECT_EQ(store_->add_guidelines("one"), 3);
  EXPECT_EQ(store_->guidelines(), (std::pair<int64_t, std::string>{3, "one"}));
}

TEST_P(StoreConformance, ARedactedTextIsGoneAndTheRedactionIsKept) {
  const Judgement judgement = ranking("secret prompt", {1, 2});
  Judgement comment{.annotator = judgement.annotator, .prompt = judgement.prompt};
  comment.type = JudgementType::comment, comment.text = "secret comment";
  store_->submit(judgement, "1"), store_->submit(comment, "2");
  store_->add_rankings(2, 0);
  store_->redact("completion", judgement.completions[0], "a name", "its bearer");
  store_->redact("judgement", 2, "a name", "its bearer");
  EXPECT_FALSE(claim(reader(), "h", 0));  // nobody is asked about it again
  store_->redact("prompt", judgement.prompt, "a name", "its bearer");
  EXPECT_EQ(store_->prompt(judgement.prompt).text, "");
  EXPECT_EQ(store_->completion(judgement.completions[0]).passage.text, "");
  EXPECT_EQ(store_->completion(judgement.completions[1]).passage.text, "b");
  EXPECT_EQ(all()[1].judgement.text, "");
  EXPECT_EQ(all()[0].judgement.ranks, judgement.ranks);
  EXPECT_THROW(store_->redact("completion", 99, "", ""), Refused);
  EXPECT_THROW(store_->redact("annotator", 1, "", ""), Refused);
  const std::filesystem::path archive = place_.file("archive.jsonl");
  store_->write_archive(archive);
  const std::string text = read_file(archive);
  EXPECT_EQ(text.find("secret"), std::string::npos);
  EXPECT_NE(text.find("its bearer"), std::string::npos);
}

TEST_P(StoreConformance, NoProgramChangesOrRemovesARow) {
  store_->submit(ranking("p", {1, 2}), "key");
  store_->add_guidelines("g"), store_->add_model({.name = "m"}), store_->add_rankings(2, 0);
  store_->redact("completion", 2, "r", "b");
  for (const std::string table :
       {"store", "events", "prompts", "completions", "annotators", "models", "guidelines", "tasks",
        "task_completions", "judgements", "judged", "redactions"}) {
    const std::string removed = place_.run_on(where_, "DELETE FROM " + table);
    EXPECT_NE(removed.find("append-only"), std::string::npos) << table << removed;
    const std::string column = table == "store"              ? "identity"
                               : table == "judged"           ? "rank"
                               : table == "task_completions" ? "position"
                                                             : "id";
    const std::string changed = place_.run_on(where_, "UPDATE " + table + " SET " + column + " = " + column);
    EXPECT_NE(changed.find("append-only"), std::string::npos) << table << changed;
  }
  EXPECT_EQ(all().size(), 1u);
}

// The judgements, times and ids of one store, in another, of either kind: the same bytes.
TEST_P(StoreConformance, AnArchiveReadIntoAnotherStoreGivesTheSameBytes) {
  const std::string bytes("nul \0 and broken \xff\xfe", 18);
  Judgement judgement = ranking("p", {1, 2});
  judgement.strength = 2, judgement.shown = true;
  const Receipt receipt = store_->submit(judgement, "1");
  Judgement correction = judgement;
  correction.corrects = receipt.judgement, correction.ranks = {1, 1};
  store_->submit(correction, "2");
  store_->add_prompt({.text = bytes, .ids = {1, 2}, .has_ids = true});
  store_->add_completion({.prompt = 1,
                          .passage = {.text = bytes},
                          .model = "m",
                          .sampling = {{"temperature", 0.7}},
                          .logps = {-0.1, -1e-9}});
  store_->add_guidelines("g");
  store_->add_rankings(3, 2);
  store_->redact("completion", 2, "r", "b");
  const std::filesystem::path first = place_.file("first.jsonl");
  store_->write_archive(first);
  for (const Backend backend : {Backend::sqlite, Backend::postgres}) {
    StorePlace place(backend);
    if (place.missing()) continue;
    const auto copy = open_store(place.fresh(), Access::create);
    copy->read_archive(first);
    const std::filesystem::path second = place_.file("second.jsonl");
    copy->write_archive(second);
    EXPECT_EQ(read_file(second), read_file(first));
    EXPECT_EQ(copy->last_event(), store_->last_event());
    EXPECT_EQ(copy->submit(judgement, "1"), receipt);
    EXPECT_THROW(copy->read_archive(first), Refused);
  }
}

TEST_P(StoreConformance, AnArchiveThatIsNoneLeavesTheStoreEmpty) {
  const std::filesystem::path path = place_.file("bad.jsonl");
  const std::string first = "{\"keel_archive\": 1}\n";
  const std::string prompt = R"({"event":1,"at":5,"kind":"prompt","row":{"id":1,"text":"p","hash":"h"}})";
  for (const std::string& text :
       {std::string("not json"), std::string("{}"), std::string("{\"keel_archive\": 2}\n"), first + "[]\n",
        first + "{\"kind\": \"song\", \"row\": {}}\n", first + prompt + "\n" + prompt + "\n",
        first + R"({"event":1,"at":5,"kind":"prompt","row":{"id":1,"text":7,"hash":"h"}})",
        first + R"({"event":1,"at":5,"kind":"prompt","row":{"id":1,"text":{"bytes":"zz"},"hash":"h"}})",
        first + R"({"event":1,"at":5,"kind":"completion","row":{"id":1,"prompt":9,"text":"","hash":"h"}})"}) {
    write_file_atomically(path, text);
    const std::string message = message_of([&] { store_->read_archive(path); });
    EXPECT_NE(message, "") << text;
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_EQ(store_->last_event(), 0) << text;
  }
}

TEST_P(StoreConformance, CountsTheAnswersThatAreStillWanted) {
  EXPECT_EQ(store_->missing_answers(), 0);
  const int64_t p = prompt("p"), first = completion(p, "a"), second = completion(p, "b");
  const int64_t twice = store_->add_task({.prompt = p, .completions = {first, second}, .copies = 2});
  store_->add_task({.kind = TaskKind::label, .prompt = p, .completions = {first}, .copies = 3});
  store_->add_task(
      {.kind = TaskKind::label, .prompt = p, .completions = {second}});  // of everyone: no number
  EXPECT_EQ(store_->missing_answers(), 5);
  answer(twice, annotator("anna"));
  EXPECT_EQ(store_->missing_answers(), 4);
  answer(twice, annotator("bert"), JudgementType::skip);
  EXPECT_EQ(store_->missing_answers(), 4);
  answer(twice, annotator("carl"));
  EXPECT_EQ(store_->missing_answers(), 3);
}

TEST_P(StoreConformance, TellsWhatStandsOfOneTask) {
  const int64_t p = prompt("p"), first = completion(p, "a"), second = completion(p, "b");
  const int64_t asked = store_->add_task({.prompt = p, .completions = {first, second}});
  const int64_t other = store_->add_task({.kind = TaskKind::label, .prompt = p, .completions = {first}});
  const int64_t anna = annotator("anna"), bert = annotator("bert");
  const Receipt wrong = answer(asked, anna);
  Judgement right{
      .annotator = anna, .prompt = p, .task = asked, .completions = {first, second}, .ranks = {2, 1}};
  right.corrects = wrong.judgement;
  store_->submit(right, "right");
  answer(asked, bert);
  store_->submit({.annotator = bert,
                  .prompt = p,
                  .task = other,
                  .type = JudgementType::label,
                  .completions = {first},
                  .label = true},
                 "of the other task");
  const auto rows = store_->judgements_of_task(asked);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].judgement, right);
  EXPECT_EQ(rows[0].annotator.name, "anna");
  EXPECT_EQ(rows[1].judgement.annotator, bert);
  EXPECT_EQ(store_->annotator(bert).name, "bert");
  EXPECT_THROW(store_->annotator(4711), Refused);
}

TEST_P(StoreConformance, WhatIsReturnedWaitsForItsAnnotator) {
  const int64_t p = prompt("p"), first = completion(p, "a"), second = completion(p, "b");
  const int64_t asked = store_->add_task({.prompt = p, .completions = {first, second}});
  const int64_t anna = annotator("anna"), bert = annotator("bert");
  const Receipt annas = answer(asked, anna), berts = answer(asked, bert);
  EXPECT_EQ(store_->returned_to(anna), std::nullopt);
  store_->return_judgement(annas.judgement, "look again", "lea");
  store_->return_judgement(berts.judgement, "and you", "lea");
  store_->return_judgement(annas.judgement, "please", "max");  // the newest note stands
  const auto returned = store_->returned_to(anna);
  ASSERT_TRUE(returned.has_value());
  EXPECT_EQ(returned->note, "please");
  EXPECT_EQ(returned->returned_by, "max");
  EXPECT_EQ(returned->answer.ranks, (std::vector<int64_t>{1, 2}));
  Judgement right = returned->answer;
  right.ranks = {2, 1};
  right.corrects = annas.judgement;
  store_->submit(right, "right");
  EXPECT_EQ(store_->returned_to(anna), std::nullopt);
  EXPECT_THROW(store_->return_judgement(annas.judgement, "again", "lea"), Refused);  // corrected by now
  EXPECT_THROW(store_->keep_returned(berts.judgement, anna), Refused);
  store_->keep_returned(berts.judgement, bert);
  EXPECT_EQ(store_->returned_to(bert), std::nullopt);
  EXPECT_THROW(store_->return_judgement(4711, "no", "lea"), Refused);
  EXPECT_THROW(store_->return_judgement(berts.judgement, "", "lea"), Refused);
}

TEST_P(StoreConformance, TheFirstAnswerStaysTheFirst) {
  const int64_t p = prompt("p"), first = completion(p, "a"), second = completion(p, "b");
  const int64_t asked = store_->add_task({.prompt = p, .completions = {first, second}});
  EXPECT_EQ(store_->tasks_behind(0), std::vector<int64_t>{asked});
  EXPECT_TRUE(store_->tasks_behind(asked).empty());
  const int64_t anna = annotator("anna");
  EXPECT_EQ(store_->first_answer(asked, anna), std::nullopt);
  const Receipt skipped = answer(asked, anna, JudgementType::skip);
  Judgement later{
      .annotator = anna, .prompt = p, .task = asked, .completions = {first, second}, .ranks = {1, 2}};
  later.corrects = skipped.judgement;
  later.adjudicates = true;
  store_->submit(later, "later");
  EXPECT_EQ(store_->first_answer(asked, anna)->type, JudgementType::skip);
  EXPECT_EQ(store_->judgements_of_task(asked).at(0).judgement, later);
  Judgement nowhere = ranking("q", {1, 2});
  nowhere.adjudicates = true;
  EXPECT_THROW(store_->submit(nowhere, "nowhere"), Refused);  // the last word on what nobody asked
}

INSTANTIATE_TEST_SUITE_P(Backends, StoreConformance, testing::Values(Backend::sqlite, Backend::postgres),
                         backend_name);

}  // namespace
}  // namespace keel::feedback
