#include "keel/server/label_desk.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "temporary_folder.h"

namespace keel {
namespace {

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
    return LabelDesk(*store_, "reader", std::move(hooks), trained_event);
  }
  // Longer is better.
  LabelHooks with_reward() {
    return {.reward = [this](int64_t id) -> std::optional<double> {
      return static_cast<double>(store_->completion(id).passage.text.size());
    }};
  }
  Json choice_of(const Json& task, const std::string& choice, const std::string& key) {
    Json request = {{"store", store_->identity()},
                    {"key", key},
                    {"choice", choice},
                    {"task", task["id"]},
                    {"prompt", task["prompt"]}};
    request["completions"] = {task["completions"][0]["id"], task["completions"][1]["id"]};
    return request;
  }
  // Chooses the longer or the shorter text of the next pair.
  Json judge(LabelDesk& at, bool longer, const std::string& key) {
    const Json task = at.claim({{"holder", "h"}})["task"];
    const bool first = (task["completions"][0]["text"] == "much longer") == longer;
    return at.submit(choice_of(task, first ? "first" : "second", key));
  }
  // Waits for a training to end.
  Json settled(LabelDesk& at) {
    while (at.state()["training"]["phase"] == "running")
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return at.state()["training"];
  }

  TemporaryFolder folder_;
  std::unique_ptr<feedback::Store> store_;
};

TEST_F(Desk, AClosedPageGivesItsPairBack) {
  add_pairs(1);
  LabelDesk at = desk();
  const Json task = at.claim({{"holder", "first tab"}})["task"];
  EXPECT_TRUE(at.claim({{"holder", "second tab"}})["task"].is_null());
  at.release({{"holder", "first tab"}});
  EXPECT_EQ(at.claim({{"holder", "second tab"}})["task"], task);
}

TEST_F(Desk, ChoicesBecomeRankingsInTheOrderShown) {
  add_pairs(4);
  LabelDesk at = desk();
  const std::map<std::string, std::vector<int64_t>> expected = {
      {"first", {1, 2}}, {"second", {2, 1}}, {"tie", {1, 1}}, {"skip", {}}};
  for (const auto& [choice, ranks] : expected) {
    const Json task = at.claim({{"holder", "h"}})["task"];
    const Json answer = at.submit(choice_of(task, choice, choice));
    const auto rows = store_->judgements(feedback::Kinds::human, store_->last_event());
    const feedback::JudgedRow& row = rows.back();
    EXPECT_EQ(answer["receipt"]["event"], row.receipt.event);
    EXPECT_EQ(row.judgement.ranks, ranks);
    EXPECT_EQ(row.judgement.completions[0], task["completions"][0]["id"]);
    EXPECT_TRUE(row.judgement.shown);
    EXPECT_EQ(row.annotator.name, "reader");
  }
  const Json end = at.claim({{"holder", "h"}});
  EXPECT_TRUE(end["task"].is_null());
  EXPECT_EQ(end["state"]["done"], 4);
  EXPECT_EQ(end["state"]["remaining"], 0);
}

TEST_F(Desk, TheReaderSeesNeitherModelsNorRewards) {
  add_pairs(1);
  LabelDesk at = desk(with_reward());
  const std::string text = json_text(at.claim({{"holder", "h"}}));
  EXPECT_EQ(text.find("secret model"), std::string::npos);
  EXPECT_EQ(text.find("reward"), std::string::npos);
  EXPECT_NE(text.find("\"agreement\":null"), std::string::npos);
}

TEST_F(Desk, TheOrderIsDrawnByKeyFairAndTheSameAgain) {
  add_pairs(100);
  LabelDesk at = desk();
  int longer_first = 0;
  for (int i = 0; i < 100; ++i) {
    const Json task = at.claim({{"holder", "h"}})["task"];
    EXPECT_EQ(at.claim({{"holder", "h"}})["task"], task);
    longer_first += task["completions"][0]["text"] == "much longer";
    at.submit(choice_of(task, "skip", std::to_string(i)));
  }
  EXPECT_GT(longer_first, 30);  // four standard deviations of a fair coin
  EXPECT_LT(longer_first, 70);
}

TEST_F(Desk, AgreementIsToldAfterJudgingWithItsInterval) {
  add_pairs(5);
  LabelDesk at = desk(with_reward());
  EXPECT_TRUE(at.state()["agreement"].is_null());
  judge(at, true, "1"), judge(at, true, "2");
  const Json agreement = judge(at, false, "3")["state"]["agreement"];
  EXPECT_EQ(agreement["count"], 2);
  EXPECT_EQ(agreement["total"], 3);
  EXPECT_NEAR(agreement["low"].get<double>(), 0.2077, 1e-4);
  EXPECT_NEAR(agreement["high"].get<double>(), 0.9385, 1e-4);
  at.submit(choice_of(at.claim({{"holder", "h"}})["task"], "tie", "4"));  // a tie says nothing of agreement
  EXPECT_EQ(at.state()["agreement"]["total"], 3);
  EXPECT_EQ(desk(with_reward()).state()["agreement"], at.state()["agreement"]);  // after a restart too
}

TEST_F(Desk, AResentJudgementCountsOnce) {
  add_pairs(2);
  LabelDesk at = desk(with_reward());
  const Json task = at.claim({{"holder", "h"}})["task"];
  const Json request = choice_of(task, "first", "key");
  const Json first = at.submit(request), second = at.submit(request);
  EXPECT_EQ(first["receipt"], second["receipt"]);
  EXPECT_EQ(second["state"]["agreement"]["total"], 1);
  EXPECT_EQ(store_->size().judgements, 1);
  EXPECT_THROW(at.submit(choice_of(task, "second", "key")), feedback::Refused);
}

TEST_F(Desk, JudgementsOfAnotherStoreAndUnknownCompletionsAreRefused) {
  add_pairs(2);
  LabelDesk at = desk();
  const Json good = choice_of(at.claim({{"holder", "h"}})["task"], "first", "key");
  Json other = good;
  other["store"] = "0123";
  EXPECT_THROW(at.submit(other), feedback::Refused);
  Json unknown = good;
  unknown["completions"][1] = 999;
  EXPECT_THROW(at.submit(unknown), feedback::Refused);
  EXPECT_EQ(store_->size().judgements, 0);
}

TEST_F(Desk, MalformedRequestsAreNamed) {
  add_pairs(1);
  LabelDesk at = desk();
  const Json good = choice_of(at.claim({{"holder", "h"}})["task"], "first", "key");
  for (const auto& [name, bad] : std::map<std::string, std::vector<Json>>{
           {"store", {7, ""}},
           {"key", {nullptr, "", std::string(101, 'k')}},
           {"prompt", {"1", -1, 1.5, uint64_t{1} << 60, nullptr}},
           {"completions", {Json::array({1}), Json::array({1, "2"}), Json::array({1, -2}), "1"}},
           {"choice", {"best", 1}}})
    for (const Json& value : bad) {
      Json request = good;
      request[name] = value;
      EXPECT_THROW(at.submit(request), std::exception) << name << value;
      request.erase(name);
      EXPECT_NE(message_of([&] { at.submit(request); }).find("\"" + name + "\""), std::string::npos);
    }
  EXPECT_THROW(at.submit(Json::array()), BadRequest);
  EXPECT_THROW(at.claim(Json::object()), BadRequest);
  EXPECT_EQ(store_->size().judgements, 0);
}

TEST_F(Desk, CompletionsOfIdsAreShownAsTextWhereThereIsADecoder) {
  const int64_t prompt = store_->add_prompt({.text = "", .ids = {5}, .has_ids = true});
  for (const int64_t id : {6, 7})
    store_->add_completion({.prompt = prompt, .passage = {.text = "", .ids = {id, 8}, .has_ids = true}});
  store_->add_rankings(2, 0);
  EXPECT_EQ(desk().claim({{"holder", "h"}})["task"]["text"], "5");
  LabelDesk at =
      desk({.decode = [](const std::vector<int64_t>& ids) { return "#" + std::to_string(ids[0]); }});
  const Json task = at.claim({{"holder", "h"}})["task"];
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
  EXPECT_EQ(at.state()["training"]["new_rankings"], 0);
  EXPECT_NE(message_of([&] { at.train(Json::object()); }).find("expected new rankings"), std::string::npos);
  judge(at, true, "1"), judge(at, true, "2");
  const int64_t event = store_->last_event();
  EXPECT_EQ(at.train(Json::object())["training"]["phase"], "running");
  EXPECT_NE(message_of([&] { at.train(Json::object()); }).find("got one that runs"), std::string::npos);
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
  at.train(Json::object());  // a second training starts; it may end before its state is asked
  EXPECT_EQ(settled(at)["new_rankings"], 0);
}

TEST_F(Desk, AFailedTrainingSaysWhyAndItsRankingsStayNew) {
  add_pairs(2);
  LabelHooks hooks;
  hooks.train = [](int64_t) -> std::string { throw Error("runs/x", "no room"); };
  LabelDesk at = desk(hooks);
  judge(at, true, "1");
  at.train(Json::object());
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
  at.train(Json::object());
  settled(at);
  EXPECT_EQ(at.state()["agreement"]["count"], 0);
  EXPECT_EQ(at.state()["agreement"]["total"], 1);
}

TEST_F(Desk, AnotherReadersRankingsAreNewButNotThisReadersAgreement) {
  add_pairs(1);
  LabelHooks hooks = with_reward();
  hooks.train = [](int64_t) { return std::string(); };
  LabelDesk other(*store_, "someone else", hooks, 0);
  judge(other, true, "1");
  EXPECT_EQ(other.state()["agreement"]["total"], 1);
  const Json state = desk(hooks).state();
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
  EXPECT_EQ(desk({.train = [](int64_t) { return std::string(); }}).state()["training"]["new_rankings"], 0);
  LabelDesk plain = desk();
  EXPECT_TRUE(plain.state()["training"].is_null());
  EXPECT_THROW(plain.train(Json::object()), feedback::Refused);
  judge(plain, true, "1");
  EXPECT_TRUE(plain.state()["agreement"].is_null());
}

}  // namespace
}  // namespace keel
