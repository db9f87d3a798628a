#include "keel/server/label_desk.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "keel/server/requests.h"
#include "temporary_folder.h"

namespace keel {
namespace {

using Ranks = std::vector<int64_t>;

class Desk : public testing::Test {
 protected:
  Desk() : store_(feedback::open_store(folder_ / "feedback.db", feedback::Access::create)) {}

  void add_pairs(int count) {
    store_->in_one_commit([&] {
      for (int i = 0; i < count; ++i) {
        const int64_t prompt = store_->add_prompt({.text = "prompt " + std::to_string(i)});
        for (const char* text : {"short", "much longer"})
          store_->add_completion({.prompt = prompt, .passage = {.text = text}, .model = "secret model"});
      }
      store_->add_rankings(2, 0);
    });
  }
  LabelDesk desk(LabelHooks hooks = {}, int64_t trained_event = 0) {
    return LabelDesk(*store_, std::move(hooks), trained_event);
  }
  // Longer is better.
  LabelHooks with_reward() {
    return {.reward = [this](int64_t id) -> std::optional<double> {
      return static_cast<double>(store_->completion(id).passage.text.size());
    }};
  }
  // What the page sends for a task, but for the answer.
  Json request_for(const Json& task, const std::string& type, const std::string& key) {
    Json request = {{"store", store_->identity()},
                    {"key", key},
                    {"type", type},
                    {"task", task["id"]},
                    {"prompt", task["prompt"]}};
    request["completions"] = Json::array();
    for (const Json& completion : task["completions"]) request["completions"].push_back(completion["id"]);
    return request;
  }
  Json ranking_of(const Json& task, const std::vector<int64_t>& ranks, const std::string& key) {
    Json request = request_for(task, "ranking", key);
    request["ranks"] = ranks;
    return request;
  }
  Json skip_of(const Json& task, const std::string& key) { return request_for(task, "skip", key); }
  // Chooses the longer or the shorter text of the next pair.
  Json judge(LabelDesk& at, bool longer, const std::string& key) {
    const Json task = at.claim(reader_, {{"holder", "h"}})["task"];
    const bool first = (task["completions"][0]["text"] == "much longer") == longer;
    return at.submit(reader_, ranking_of(task, first ? Ranks{1, 2} : Ranks{2, 1}, key));
  }
  // Waits for a training to end.
  Json settled(LabelDesk& at) {
    while (at.state(reader_)["training"]["phase"] == "running")
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return at.state(reader_)["training"];
  }

  TemporaryFolder folder_;
  std::unique_ptr<feedback::Store> store_;
  Reader reader_ = {
      .annotator = store_->add_annotator({.name = "reader"}), .name = "reader", .is_lead = true};
  Reader other_ = {.annotator = store_->add_annotator({.name = "someone else"}), .name = "someone else"};
};

TEST_F(Desk, AClosedPageGivesItsPairBack) {
  add_pairs(1);
  LabelDesk at = desk();
  const Json task = at.claim(reader_, {{"holder", "first tab"}})["task"];
  EXPECT_TRUE(at.claim(reader_, {{"holder", "second tab"}})["task"].is_null());
  at.release(reader_, {{"holder", "first tab"}});
  EXPECT_EQ(at.claim(reader_, {{"holder", "second tab"}})["task"], task);
}

TEST_F(Desk, ChoicesBecomeRankingsInTheOrderShown) {
  add_pairs(4);
  LabelDesk at = desk();
  for (const Ranks& ranks : {Ranks{1, 2}, Ranks{2, 1}, Ranks{1, 1}, Ranks{}}) {
    const Json task = at.claim(reader_, {{"holder", "h"}})["task"];
    const std::string key = "key" + std::to_string(store_->size().judgements);
    const Json answer = at.submit(reader_, ranks.empty() ? skip_of(task, key) : ranking_of(task, ranks, key));
    const auto rows = store_->judgements(feedback::Kinds::human, store_->last_event());
    const feedback::JudgedRow& row = rows.back();
    EXPECT_EQ(answer["receipt"]["event"], row.receipt.event);
    EXPECT_EQ(row.judgement.ranks, ranks);
    EXPECT_EQ(row.judgement.completions[0], task["completions"][0]["id"]);
    EXPECT_TRUE(row.judgement.shown);
    EXPECT_EQ(row.annotator.name, "reader");
  }
  const Json end = at.claim(reader_, {{"holder", "h"}});
  EXPECT_TRUE(end["task"].is_null());
  EXPECT_EQ(end["state"]["done"], 4);
  EXPECT_EQ(end["state"]["remaining"], 0);
}

TEST_F(Desk, TheReaderSeesNeitherModelsNorRewards) {
  add_pairs(1);
  LabelDesk at = desk(with_reward());
  const std::string text = json_text(at.claim(reader_, {{"holder", "h"}}));
  EXPECT_EQ(text.find("secret model"), std::string::npos);
  EXPECT_EQ(text.find("reward"), std::string::npos);
  EXPECT_NE(text.find("\"agreement\":null"), std::string::npos);
}

TEST_F(Desk, TheOrderIsDrawnByKeyFairAndTheSameAgain) {
  add_pairs(100);
  LabelDesk at = desk();
  int longer_first = 0;
  for (int i = 0; i < 100; ++i) {
    const Json task = at.claim(reader_, {{"holder", "h"}})["task"];
    EXPECT_EQ(at.claim(reader_, {{"holder", "h"}})["task"], task);
    longer_first += task["completions"][0]["text"] == "much longer";
    at.submit(reader_, skip_of(task, std::to_string(i)));
  }
  EXPECT_GT(longer_first, 30);  // four standard deviations of a fair coin
  EXPECT_LT(longer_first, 70);
}

TEST_F(Desk, AgreementIsToldAfterJudgingWithItsInterval) {
  add_pairs(5);
  LabelDesk at = desk(with_reward());
  EXPECT_TRUE(at.state(reader_)["agreement"].is_null());
  judge(at, true, "1"), judge(at, true, "2");
  const Json agreement = judge(at, false, "3")["state"]["agreement"];
  EXPECT_EQ(agreement["count"], 2);
  EXPECT_EQ(agreement["total"], 3);
  EXPECT_NEAR(agreement["low"].get<double>(), 0.2077, 1e-4);
  EXPECT_NEAR(agreement["high"].get<double>(), 0.9385, 1e-4);
  at.submit(reader_, ranking_of(at.claim(reader_, {{"holder", "h"}})["task"], {1, 1},
                                "4"));  // a tie says nothing of agreement
  EXPECT_EQ(at.state(reader_)["agreement"]["total"], 3);
  EXPECT_EQ(desk(with_reward()).state(reader_)["agreement"],
            at.state(reader_)["agreement"]);  // after a restart too
}

TEST_F(Desk, AResentJudgementCountsOnce) {
  add_pairs(2);
  LabelDesk at = desk(with_reward());
  const Json task = at.claim(reader_, {{"holder", "h"}})["task"];
  const Json request = ranking_of(task, {1, 2}, "key");
  const Json first = at.submit(reader_, request), second = at.submit(reader_, request);
  EXPECT_EQ(first["receipt"], second["receipt"]);
  EXPECT_EQ(second["state"]["agreement"]["total"], 1);
  EXPECT_EQ(store_->size().judgements, 1);
  EXPECT_THROW(at.submit(reader_, ranking_of(task, {2, 1}, "key")), feedback::Refused);
}

TEST_F(Desk, JudgementsOfAnotherStoreAndUnknownCompletionsAreRefused) {
  add_pairs(2);
  LabelDesk at = desk();
  const Json good = ranking_of(at.claim(reader_, {{"holder", "h"}})["task"], {1, 2}, "key");
  Json other = good;
  other["store"] = "0123";
  EXPECT_THROW(at.submit(reader_, other), feedback::Refused);
  Json unknown = good;
  unknown["completions"][1] = 999;
  EXPECT_THROW(at.submit(reader_, unknown), feedback::Refused);
  EXPECT_EQ(store_->size().judgements, 0);
}

TEST_F(Desk, MalformedRequestsAreNamed) {
  add_pairs(1);
  LabelDesk at = desk();
  const Json good = ranking_of(at.claim(reader_, {{"holder", "h"}})["task"], {1, 2}, "key");
  for (const auto& [name, bad] : std::map<std::string, std::vector<Json>>{
           {"store", {7, ""}},
           {"key", {nullptr, "", std::string(101, 'k')}},
           {"prompt", {"1", -1, 1.5, uint64_t{1} << 60, nullptr}},
           {"completions", {Json::array({1}), Json::array({1, "2"}), Json::array({1, -2}), "1"}},
           {"ranks", {Json::array({1}), Json::array({1, "2"}), Json::array({1, 0}), "1", 1}},
           {"type", {"best", 1, "rating", "label"}}})
    for (const Json& value : bad) {
      Json request = good;
      request[name] = value;
      EXPECT_THROW(at.submit(reader_, request), std::exception) << name << value;
      request.erase(name);
      EXPECT_THROW(at.submit(reader_, request), std::exception) << name;
    }
  for (const char* name : {"store", "key", "prompt", "type"}) {
    Json request = good;
    request.erase(name);
    EXPECT_NE(message_of([&] { at.submit(reader_, request); }).find("\"" + std::string(name) + "\""),
              std::string::npos);
  }
  EXPECT_THROW(at.submit(reader_, Json::array()), BadRequest);
  EXPECT_THROW(at.claim(reader_, Json::object()), BadRequest);
  EXPECT_EQ(store_->size().judgements, 0);
}

TEST_F(Desk, CompletionsOfIdsAreShownAsTextWhereThereIsADecoder) {
  const int64_t prompt = store_->add_prompt({.text = "", .ids = {5}, .has_ids = true});
  for (const int64_t id : {6, 7})
    store_->add_completion({.prompt = prompt, .passage = {.text = "", .ids = {id, 8}, .has_ids = true}});
  store_->add_rankings(2, 0);
  EXPECT_EQ(desk().claim(reader_, {{"holder", "h"}})["task"]["text"], "5");
  LabelDesk at =
      desk({.decode = [](const std::vector<int64_t>& ids) { return "#" + std::to_string(ids[0]); }});
  const Json task = at.claim(reader_, {{"holder", "h"}})["task"];
  EXPECT_EQ(task["text"], "#5");
  const std::string first = task["completions"][0]["text"];
  EXPECT_TRUE(first == "#6" || first == "#7");
}

TEST_F(Desk, TrainingRunsOnceAtATimeAndNewRankingsAreCounted) {
  add_pairs(4);
  std::mutex mutex;
  std::condition_variable changed;
  bool release = false;
  std::vector<int64_t> pinned;
  LabelHooks hooks = with_reward();
  hooks.train = [&](int64_t last_event) {
    std::unique_lock lock(mutex);
    pinned.push_back(last_event);
    changed.wait(lock, [&] { return release; });
    return std::string("runs/again");
  };
  LabelDesk at = desk(hooks);
  EXPECT_EQ(at.state(reader_)["training"]["new_rankings"], 0);
  EXPECT_NE(message_of([&] { at.train(reader_, Json::object()); }).find("expected new rankings"),
            std::string::npos);
  judge(at, true, "1"), judge(at, true, "2");
  const int64_t event = store_->last_event();
  EXPECT_EQ(at.train(reader_, Json::object())["training"]["phase"], "running");
  EXPECT_NE(message_of([&] { at.train(reader_, Json::object()); }).find("got one that runs"),
            std::string::npos);
  EXPECT_EQ(judge(at, true, "3")["state"]["training"]["new_rankings"], 3);  // while it runs none is old
  {
    const std::lock_guard lock(mutex);
    release = true;
  }
  changed.notify_all();
  const Json done = settled(at);
  EXPECT_EQ(done["phase"], "done");
  EXPECT_EQ(done["detail"], "runs/again");
  EXPECT_EQ(done["new_rankings"], 1);  // the third came after the pinned event
  EXPECT_EQ(pinned, (std::vector<int64_t>{event}));
  at.train(reader_, Json::object());  // a second training starts; it may end before its state is asked
  EXPECT_EQ(settled(at)["new_rankings"], 0);
}

TEST_F(Desk, AFailedTrainingSaysWhyAndItsRankingsStayNew) {
  add_pairs(2);
  LabelHooks hooks;
  hooks.train = [](int64_t) -> std::string { throw Error("runs/x", "no room"); };
  LabelDesk at = desk(hooks);
  judge(at, true, "1");
  at.train(reader_, Json::object());
  const Json failed = settled(at);
  EXPECT_EQ(failed["phase"], "failed");
  EXPECT_EQ(failed["detail"], "[runs/x] no room");
  EXPECT_EQ(failed["new_rankings"], 1);
}

TEST_F(Desk, ANewRewardModelIsAskedAfresh) {
  add_pairs(1);
  std::atomic<double> sign = 1;
  LabelHooks hooks;
  hooks.reward = [&](int64_t id) -> std::optional<double> {
    return sign * static_cast<double>(store_->completion(id).passage.text.size());
  };
  hooks.train = [&](int64_t) { return sign = -1, std::string("flipped"); };
  LabelDesk at = desk(hooks);
  EXPECT_EQ(judge(at, true, "1")["state"]["agreement"]["count"], 1);
  at.train(reader_, Json::object());
  settled(at);
  EXPECT_EQ(at.state(reader_)["agreement"]["count"], 0);
  EXPECT_EQ(at.state(reader_)["agreement"]["total"], 1);
}

TEST_F(Desk, AnotherReadersRankingsAreNewButNotThisReadersAgreement) {
  add_pairs(1);
  LabelHooks hooks = with_reward();
  hooks.train = [](int64_t) { return std::string(); };
  LabelDesk at = desk(hooks);
  std::swap(reader_, other_);
  judge(at, true, "1");
  EXPECT_EQ(at.state(reader_)["agreement"]["total"], 1);
  std::swap(reader_, other_);
  EXPECT_TRUE(at.state(reader_)["agreement"].is_null());
  const Json state = desk(hooks).state(reader_);
  EXPECT_TRUE(state["agreement"].is_null());
  EXPECT_EQ(state["training"]["new_rankings"], 1);
}

TEST_F(Desk, SimulatedRankingsAreNotNewAndWithoutHooksNothingIsOffered) {
  add_pairs(1);
  const auto completions = store_->completions_of(1);
  store_->submit(
      {.annotator = store_->add_annotator({.kind = feedback::AnnotatorKind::simulated, .name = "s"}),
       .prompt = 1,
       .completions = {completions[0].id, completions[1].id},
       .ranks = {1, 2}},
      "s");
  EXPECT_EQ(desk({.train = [](int64_t) { return std::string(); }}).state(reader_)["training"]["new_rankings"],
            0);
  LabelDesk plain = desk();
  EXPECT_TRUE(plain.state(reader_)["training"].is_null());
  EXPECT_THROW(plain.train(reader_, Json::object()), feedback::Refused);
  judge(plain, true, "1");
  EXPECT_TRUE(plain.state(reader_)["agreement"].is_null());
}

// A task of one kind with this many completions, as one reader gets it.
class Kinds : public Desk {
 protected:
  Json claim_one(feedback::TaskKind kind, int completions, const Json& details = Json::object()) {
    feedback::Task task{.kind = kind, .prompt = store_->add_prompt({.text = "# Say *something*"})};
    for (int i = 0; i < completions; ++i)
      task.completions.push_back(store_->add_completion(
          {.prompt = task.prompt, .passage = {.text = "text " + std::to_string(i)}, .model = "m"}));
    task.details = details;
    store_->add_task(task);
    return at_.claim(reader_, {{"holder", "h"}})["task"];
  }
  feedback::Judgement last() {
    return store_->judgements(feedback::Kinds::human, store_->last_event()).back().judgement;
  }
  LabelDesk at_{*store_, {}, 0};
};

TEST_F(Kinds, ATaskIsShownWithWhatItsDetailsSayButGold) {
  store_->add_guidelines("Be *fair*.");
  const Json task = claim_one(feedback::TaskKind::rating, 1,
                              {{"question", "How safe?"},
                               {"dimensions", {"harmless"}},
                               {"scale", {1, 7}},
                               {"warning", "Violence."},
                               {"gold", {{"harmless", 7}}},
                               {"qualification", true}});
  EXPECT_EQ(task["kind"], "rating");
  EXPECT_EQ(task["text"], "# Say *something*");
  EXPECT_EQ(task["html"], "<h1>Say <em>something</em></h1>\n");
  EXPECT_EQ(task["completions"][0]["html"], "<p>text 0</p>\n");
  EXPECT_EQ(task["guideline"], 1);
  EXPECT_EQ(task["question"], "How safe?");
  EXPECT_EQ(task["scale"], Json({1, 7}));
  EXPECT_EQ(task["warning"], "Violence.");
  EXPECT_EQ(json_text(task).find("gold"), std::string::npos);
  EXPECT_FALSE(task.contains("qualification"));
  EXPECT_EQ(at_.guidelines()["html"], "<p>Be <em>fair</em>.</p>\n");
}

TEST_F(Kinds, ARankingOfNineWithTiesStrengthAndTimeIsStored) {
  store_->add_guidelines("first");
  const Json task = claim_one(feedback::TaskKind::ranking, 9);
  Json request = ranking_of(task, {3, 1, 1, 2, 4, 5, 6, 7, 7}, "key");
  request["strength"] = 3;
  request["none_acceptable"] = true;
  request["seconds"] = 12.5;
  request["guideline"] = task["guideline"];
  at_.submit(reader_, request);
  EXPECT_EQ(last().ranks, (Ranks{3, 1, 1, 2, 4, 5, 6, 7, 7}));
  EXPECT_EQ(last().strength, 3);
  EXPECT_TRUE(last().none_acceptable);
  EXPECT_EQ(last().seconds, 12.5);
  EXPECT_EQ(last().guideline, 1);
}

TEST_F(Kinds, RatingsKeepToTheirTask) {
  const Json task =
      claim_one(feedback::TaskKind::rating, 1, {{"dimensions", {"helpful", "honest"}}, {"scale", {1, 7}}});
  Json request = request_for(task, "rating", "key");
  for (const Json& wrong :
       {Json{{"helpful", 3}}, Json{{"helpful", 3}, {"honest", 8}}, Json{{"helpful", 0.5}, {"honest", 3}},
        Json{{"helpful", 3}, {"kind", 3}}, Json{{"helpful", 3}, {"honest", 3}, {"kind", 3}}}) {
    request["ratings"] = wrong;
    EXPECT_THROW(at_.submit(reader_, request), feedback::Refused) << wrong;
  }
  for (const Json& wrong : {Json("3"), Json{{"helpful", "3"}, {"honest", 3}}, Json::array({3, 3})}) {
    request["ratings"] = wrong;
    EXPECT_THROW(at_.submit(reader_, request), BadRequest) << wrong;
  }
  request["ratings"] = {{"helpful", 7}, {"honest", 1}};
  at_.submit(reader_, request);
  EXPECT_EQ(last().ratings, (std::map<std::string, double>{{"helpful", 7}, {"honest", 1}}));
}

TEST_F(Kinds, LabelsAndWrittenTextsAnswerTheirTasks) {
  Json label = request_for(claim_one(feedback::TaskKind::label, 1), "label", "1");
  label["label"] = false;
  at_.submit(reader_, label);
  EXPECT_EQ(last().label, false);
  Json written = request_for(claim_one(feedback::TaskKind::demonstration, 0), "demonstration", "2");
  written["text"] = "A good answer.";
  at_.submit(reader_, written);
  EXPECT_EQ(last().text, "A good answer.");
  Json edit = request_for(claim_one(feedback::TaskKind::edit, 1), "edit", "3");
  edit["text"] = "text 0, mended";
  at_.submit(reader_, edit);
  EXPECT_EQ(last().text, "text 0, mended");
  EXPECT_EQ(at_.state(reader_)["remaining"], 0);
}

TEST_F(Kinds, FlagsAndCommentsLeaveTheTaskOpen) {
  const Json task = claim_one(feedback::TaskKind::ranking, 2);
  Json note = request_for(task, "flag", "1");
  note["completions"] = {task["completions"][1]["id"]};
  note["text"] = "Personal data";
  at_.submit(reader_, note);
  EXPECT_EQ(last().type, feedback::JudgementType::flag);
  note = request_for(task, "comment", "2");
  note["text"] = "Both are dull.";
  at_.submit(reader_, note);
  EXPECT_EQ(at_.claim(reader_, {{"holder", "h"}})["task"]["id"], task["id"]);
  EXPECT_EQ(at_.state(reader_)["done"], 0);
}

TEST_F(Kinds, ACorrectionReplacesItsJudgementInTheAgreementToo) {
  add_pairs(1);
  LabelDesk at = desk(with_reward());
  const Json receipt = judge(at, true, "1")["receipt"];
  EXPECT_EQ(at.state(reader_)["agreement"]["count"], 1);
  const auto rows = store_->judgements(feedback::Kinds::human, store_->last_event());
  const feedback::Judgement& first = rows.back().judgement;
  Json request = {{"store", store_->identity()},
                  {"key", "2"},
                  {"type", "ranking"},
                  {"task", *first.task},
                  {"prompt", first.prompt},
                  {"completions", first.completions},
                  {"ranks", {first.ranks[1], first.ranks[0]}}};
  request["corrects"] = receipt["judgement"];
  at.submit(reader_, request);
  EXPECT_EQ(at.state(reader_)["agreement"]["count"], 0);
  EXPECT_EQ(at.state(reader_)["agreement"]["total"], 1);
  EXPECT_EQ(at.state(reader_)["done"], 1);
  request["key"] = "3";
  EXPECT_THROW(at.submit(reader_, request), feedback::Refused);  // it was corrected before
}

TEST_F(Kinds, ALeaseIsRenewedWhileItIsHeld) {
  const Json task = claim_one(feedback::TaskKind::ranking, 2);
  EXPECT_EQ(at_.renew(reader_, {{"holder", "h"}})["task"], task["id"]);
  EXPECT_TRUE(at_.renew(reader_, {{"holder", "another tab"}})["task"].is_null());
  EXPECT_TRUE(at_.renew(other_, {{"holder", "h"}})["task"].is_null());
  at_.release(reader_, {{"holder", "h"}});
  EXPECT_TRUE(at_.renew(reader_, {{"holder", "h"}})["task"].is_null());
}

class Qualification : public Desk {
 protected:
  // Three gold labels that come first, and a pair behind them.
  Qualification() {
    add_pairs(1);
    for (const bool gold : {true, false, true}) {
      const int64_t prompt = store_->add_prompt({.text = "qualification " + std::to_string(number_++)});
      const int64_t completion = store_->add_completion({.prompt = prompt, .passage = {.text = "a"}});
      const int64_t task = store_->add_task({.kind = feedback::TaskKind::label,
                                             .prompt = prompt,
                                             .completions = {completion},
                                             .details = {{"gold", gold}, {"qualification", true}}});
      store_->set_priority(task, 1);
      gold_[task] = gold;
    }
  }
  // Answers the round with so many mistakes; returns what the next claim is told.
  Json after(LabelDesk& at, const Reader& reader, int mistakes) {
    for (size_t i = 0; i < gold_.size(); ++i) {
      const Json task = at.claim(reader, {{"holder", "h"}})["task"];
      EXPECT_EQ(task["kind"], "label");
      EXPECT_FALSE(task.contains("gold"));
      Json request = request_for(task, "label", reader.name + std::to_string(i));
      request["label"] = gold_.at(task["id"].get<int64_t>()) == (static_cast<int>(i) >= mistakes);
      at.submit(reader, request);
    }
    return at.claim(reader, {{"holder", "h"}});
  }
  int number_ = 0;
  std::map<int64_t, bool> gold_;
};

TEST_F(Qualification, WhoIsRightOftenEnoughGoesOn) {
  LabelDesk at(*store_, {}, 0, 0.6);
  const Json good = after(at, other_, 1);
  EXPECT_EQ(good["refusal"], "");
  EXPECT_EQ(good["task"]["kind"], "ranking");
  const Reader third = {.annotator = store_->add_annotator({.name = "third"}), .name = "third"};
  const Json bad = after(at, third, 2);
  EXPECT_TRUE(bad["task"].is_null());
  EXPECT_NE(bad["refusal"].get<std::string>().find("1 of 3 right"), std::string::npos);
  EXPECT_EQ(store_->leases(0).size(), 1u);  // what was not given is not held
  Json unasked = ranking_of(good["task"], {1, 2}, "unasked");
  EXPECT_NE(message_of([&] { at.submit(third, unasked); }).find("not enough"), std::string::npos);
  at.submit(other_, unasked);
}

TEST_F(Qualification, NobodyTriesAgain) {
  LabelDesk at(*store_, {}, 0, 0.6);
  after(at, other_, 3);
  const auto wrong = store_->judgements(feedback::Kinds::human, store_->last_event()).at(0);
  Json request = {{"store", store_->identity()},
                  {"key", "again"},
                  {"type", "label"},
                  {"label", !*wrong.judgement.label},
                  {"task", *wrong.judgement.task},
                  {"prompt", wrong.judgement.prompt},
                  {"completions", wrong.judgement.completions},
                  {"corrects", wrong.receipt.judgement}};
  EXPECT_NE(message_of([&] { at.submit(other_, request); }).find("another try"), std::string::npos);
}

TEST_F(Desk, WhatALeadReturnsComesBeforeNewTasks) {
  add_pairs(2);
  LabelDesk at = desk();
  Reader annotator = other_;
  const Json task = at.claim(annotator, {{"holder", "h"}})["task"];
  const int64_t number =
      at.submit(annotator, ranking_of(task, {1, 2}, "first"))["receipt"]["judgement"].get<int64_t>();
  const Json back = {{"judgement", number}, {"note", "really?"}};
  EXPECT_THROW(at.send_back(annotator, back), Forbidden);
  at.send_back(reader_, back);
  const Json claimed = at.claim(annotator, {{"holder", "h"}});
  EXPECT_TRUE(claimed["task"].is_null());
  EXPECT_EQ(claimed["returned"]["note"], "really?");
  EXPECT_EQ(claimed["returned"]["by"], "reader");
  EXPECT_EQ(claimed["returned"]["task"], task);
  EXPECT_EQ(claimed["returned"]["answer"]["ranks"], (Json{1, 2}));
  EXPECT_TRUE(at.claim(reader_, {{"holder", "h"}})["returned"].is_null());
  Json right = ranking_of(task, {2, 1}, "second");
  right["corrects"] = number;
  at.submit(annotator, right);
  EXPECT_TRUE(at.claim(annotator, {{"holder", "h"}})["returned"].is_null());
}

TEST_F(Desk, OnlyLeadsSayTheLastWord) {
  add_pairs(1);
  LabelDesk at = desk();
  const Json task = at.claim(other_, {{"holder", "h"}})["task"];
  Json request = ranking_of(task, {1, 2}, "key");
  request["adjudicates"] = true;
  EXPECT_THROW(at.submit(other_, request), Forbidden);
  at.submit(reader_, request);
  EXPECT_TRUE(store_->judgements_of_task(task["id"].get<int64_t>()).at(0).judgement.adjudicates);
}

}  // namespace
}  // namespace keel
