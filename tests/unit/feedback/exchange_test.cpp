#include "keel/feedback/exchange.h"

#include <gtest/gtest.h>

#include "keel/base/files.h"
#include "temporary_folder.h"

namespace keel::feedback {
namespace {

class Exchange : public testing::Test {
 protected:
  std::unique_ptr<Store> store(const std::string& name) { return open_store(folder_ / name, Access::create); }
  std::string exported(Store& from, Kinds kinds = Kinds::all) {
    export_judgements(from, kinds, from.last_event(), folder_ / "out.jsonl");
    return read_file(folder_ / "out.jsonl");
  }
  ImportCounts import_text(Store& to, const std::string& text, std::optional<Annotator> otherwise = {}) {
    return import_judgements(to, folder_.write("in.jsonl", text), otherwise);
  }
  TemporaryFolder folder_;
  const Annotator human_{.kind = AnnotatorKind::human, .name = "file"};
};

// Everything that can make a row differ: ties, ids, both, duplicates, models, parameters, order shown, labels
// without a prompt, text that JSON must escape, bytes that are not UTF-8, a correction and a skip.
void fill(Store& store) {
  const int64_t human = store.add_annotator({.kind = AnnotatorKind::human, .name = "r\"e\n"});
  const int64_t simulated = store.add_annotator(
      {.kind = AnnotatorKind::simulated, .name = "s", .parameters = {{"reliability", 0.8}, {"seed", 3}}});
  const int64_t text = store.add_prompt({.text = "caf\xC3\xA9 \t\"'\\ \xF0\x9F\x98\x80 \xff"});
  const int64_t ids = store.add_prompt({.text = "", .ids = {1, 2}, .has_ids = true});
  std::vector<int64_t> c;
  for (const char* answer : {"a", "a", "b", "c"})
    c.push_back(store.add_completion({.prompt = text, .passage = {.text = answer}}));
  c.push_back(store.add_completion({.prompt = text, .passage = {.text = "a"}, .model = "ppo"}));
  std::vector<int64_t> d;
  d.push_back(store.add_completion({.prompt = ids, .passage = {.text = "", .ids = {9}, .has_ids = true}}));
  d.push_back(
      store.add_completion({.prompt = ids, .passage = {.text = "both", .ids = {8}, .has_ids = true}}));
  d.push_back(store.add_completion({.prompt = ids, .passage = {.text = "text"}, .logps = {-1}}));
  store.submit({.annotator = human,
                .prompt = text,
                .completions = {c[3], c[0], c[1]},
                .ranks = {3, 1, 1},
                .shown = true},
               "1");
  store.submit({.annotator = simulated, .prompt = text, .completions = {c[4], c[2]}, .ranks = {2, 1}}, "2");
  store.submit({.annotator = simulated, .prompt = text, .completions = {c[0], c[2]}, .ranks = {1, 2}}, "3");
  store.submit({.annotator = human, .prompt = ids, .completions = d, .ranks = {1, 2, 3}}, "4");
  store.submit({.annotator = human, .prompt = text, .type = JudgementType::skip, .completions = {c[2], c[3]}},
               "5");
  const Receipt wrong = store.submit(
      {.annotator = human, .prompt = ids, .type = JudgementType::label, .completions = {d[2]}, .label = true},
      "6");
  store.submit({.annotator = human,
                .prompt = ids,
                .type = JudgementType::label,
                .completions = {d[2]},
                .label = false,
                .corrects = wrong.judgement},
               "7");
  const int64_t none = store.add_prompt({});
  const int64_t document = store.add_completion({.prompt = none, .passage = {.text = "a whole document"}});
  store.submit({.annotator = human,
                .prompt = none,
                .type = JudgementType::label,
                .completions = {document},
                .label = true},
               "8");
  Judgement written{.annotator = human, .prompt = text, .type = JudgementType::demonstration};
  written.text = "what a person would say", written.seconds = 61.5;
  store.submit(written, "9");
  written.type = JudgementType::edit, written.completions = {c[2]}, written.text = "b, but better";
  store.submit(written, "10");
  written.type = JudgementType::rating, written.text.clear(),
  written.ratings = {{"helpful", 4}, {"honest", 0.5}};
  store.submit(written, "11");
}

TEST_F(Exchange, ExportThenImportThenExportGivesTheSameBytes) {
  const auto first = store("first.db"), second = store("second.db");
  fill(*first);
  const std::string bytes = exported(*first);
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), '\n'), 9);
  const ImportCounts counts = import_text(*second, bytes);
  EXPECT_EQ(counts.read, 9);
  EXPECT_EQ(counts.taken, 9);
  EXPECT_EQ(exported(*second), bytes);
  // The same file twice, and the store's own export, add nothing.
  EXPECT_EQ(import_text(*second, bytes).already_there, 9);
  EXPECT_EQ(exported(*second), bytes);
}

TEST_F(Exchange, RowsNameTheirFields) {
  const auto from = store("first.db");
  fill(*from);
  const ExportCounts counts = export_judgements(*from, Kinds::all, from->last_event(), folder_ / "out.jsonl");
  EXPECT_EQ(counts.written, (std::map<JudgementType, int64_t>{{JudgementType::ranking, 4},
                                                              {JudgementType::label, 2},
                                                              {JudgementType::rating, 1},
                                                              {JudgementType::demonstration, 1},
                                                              {JudgementType::edit, 1}}));
  EXPECT_EQ(counts.left_out, (std::map<JudgementType, int64_t>{{JudgementType::skip, 1}}));
  const std::string bytes = read_file(folder_ / "out.jsonl");
  EXPECT_NE(bytes.find(R"("completions":["c","a","a"],"ranks":[3,1,1],"annotator":"r\"e\n","kind":"human",)"
                       R"("shown":true,"key":"1"})"),
            std::string::npos)
      << bytes;
  EXPECT_NE(
      bytes.find(
          R"("kind":"simulated","parameters":{"reliability":0.8,"seed":3},"models":["ppo",""],"key":"2"})"),
      std::string::npos);
  EXPECT_NE(
      bytes.find(
          R"({"prompt_ids":[1,2],"completions":[null,"both","text"],"completions_ids":[[9],[8],null],)"),
      std::string::npos);
  EXPECT_NE(bytes.find(R"({"prompt_ids":[1,2],"completion":"text","label":false,)"), std::string::npos);
  EXPECT_NE(bytes.find(R"({"text":"a whole document","label":true,)"), std::string::npos);
  EXPECT_EQ(read_rows(folder_ / "out.jsonl").rows.size(), 9u);
}

TEST_F(Exchange, ExportsOfOneKindAndUpToAnEvent) {
  const auto from = store("first.db");
  fill(*from);
  const std::string simulated = exported(*from, Kinds::simulated);
  EXPECT_EQ(std::count(simulated.begin(), simulated.end(), '\n'), 2);
  EXPECT_EQ(simulated.find("\"human\""), std::string::npos);
  const int64_t first_event = from->judgements(Kinds::all, from->last_event())[0].receipt.event;
  EXPECT_EQ(export_judgements(*from, Kinds::all, first_event, folder_ / "early.jsonl").written.size(), 1u);
}

TEST_F(Exchange, CountsWhatIsTakenAndWhyTheRestIsNot) {
  const auto to = store("to.db");
  const ImportCounts counts = import_text(*to, R"({"prompt": "p", "chosen": "good", "rejected": "bad"}
{"prompt": "p", "chosen": "same", "rejected": "same"}
{"prompt": "p", "completion": "c"}
{"prompt": "p", "completions": ["x", "y", "z"], "ranks": [1, 2, 2], "kind": "ai", "annotator": "judge"}
{"prompt": "p", "completion": "c", "label": 1}
{"prompt": "p", "completion": "c", "label": null}
{"text": "t"}
{"prompt": "p", "completion": "c", "tokens": [1], "finish_reason": "stop"}
)",
                                          human_);
  EXPECT_EQ(counts.read, 8);
  EXPECT_EQ(counts.taken, 4);
  EXPECT_EQ(counts.refused, (std::map<std::string, int64_t>{{"chosen equals rejected", 1},
                                                            {"label is null", 1},
                                                            {"a completion row holds no judgement", 1},
                                                            {"a text row holds no judgement", 1}}));
  const auto rows = to->judgements(Kinds::all, to->last_event());
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].annotator, human_);
  EXPECT_EQ(rows[0].judgement.ranks, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(rows[0].completions[0].passage.text, "good");
  EXPECT_FALSE(rows[0].judgement.shown);
  EXPECT_EQ(rows[1].judgement.type, JudgementType::demonstration);
  EXPECT_EQ(rows[1].judgement.text, "c");
  EXPECT_EQ(rows[2].annotator, (Annotator{.kind = AnnotatorKind::ai, .name = "judge"}));
  EXPECT_EQ(*rows[3].judgement.label, true);
}

TEST_F(Exchange, EqualRowsWithoutKeysAreDifferentJudgementsOfOneText) {
  const auto to = store("to.db");
  const std::string row = "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}\n";
  EXPECT_EQ(import_text(*to, row + row, human_).taken, 2);
  EXPECT_EQ(import_text(*to, row + row + row, human_).taken, 1);
  EXPECT_EQ(to->size().judgements, 3);
  EXPECT_EQ(to->size().completions, 2);
}

TEST_F(Exchange, AUsedKeyIsCountedAndTheEarlierJudgementStays) {
  const auto to = store("to.db");
  const ImportCounts counts =
      import_text(*to,
                  "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\", \"key\": \"k\"}\n"
                  "{\"prompt\": \"p\", \"chosen\": \"b\", \"rejected\": \"a\", \"key\": \"k\"}\n",
                  human_);
  EXPECT_EQ(counts.taken, 1);
  ASSERT_EQ(counts.refused.size(), 1u);
  EXPECT_NE(counts.refused.begin()->first.find("used for another judgement"), std::string::npos);
}

TEST_F(Exchange, AMistakeAnywhereLeavesTheStoreAsItWas) {
  const auto to = store("to.db");
  const std::string good = "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}\n";
  const auto refusal = [&](const std::string& text, std::optional<Annotator> otherwise) {
    const std::string message = message_of([&] { import_text(*to, good + text, otherwise); });
    EXPECT_EQ(to->last_event(), 0) << text;
    return message.substr(std::min(message.find("in.jsonl"), message.size()));
  };
  EXPECT_NE(refusal("oops", human_).find("in.jsonl:2] expected JSON"), std::string::npos);
  EXPECT_NE(refusal("", {}).find("in.jsonl:1] expected a `kind` of annotator"), std::string::npos);
  const std::string start = R"({"prompt": "p", "chosen": "a", "rejected": "b", )";
  EXPECT_NE(
      refusal(start + R"("kind": "robot"})", human_).find("in.jsonl:2] expected human, simulated or ai"),
      std::string::npos);
  EXPECT_NE(refusal(start + R"("models": ["x"]})", human_).find("a model for each completion"),
            std::string::npos);
  EXPECT_NE(refusal(start + R"("shown": "yes"})", human_).find("in.jsonl:2] expected another type"),
            std::string::npos);
}

TEST_F(Exchange, PseudonymsTellPeopleApartAndNoMore) {
  const auto judged = [&](Store& in) {
    const int64_t prompt = in.add_prompt({.text = "p"}),
                  completion = in.add_completion({.prompt = prompt, .passage = {.text = "a"}});
    int64_t number = 0;
    for (const Annotator& annotator :
         {Annotator{.name = "Anna Smith", .parameters = {{"born", 1970}}}, Annotator{.name = "Bert"},
          Annotator{.name = "Bert"}, Annotator{.kind = AnnotatorKind::simulated, .name = "careful"}})
      in.submit({.annotator = in.add_annotator(annotator),
                 .prompt = prompt,
                 .type = JudgementType::label,
                 .completions = {completion},
                 .label = true},
                std::to_string(number++));
    export_judgements(in, Kinds::all, in.last_event(), folder_ / "out.jsonl", {.names = Names::pseudonyms});
    std::vector<std::string> names;
    for_each_line(folder_ / "out.jsonl", [&](std::string_view line, int64_t) {
      names.push_back(Json::parse(line).at("annotator"));
    });
    return names;
  };
  const auto one = store("one.db"), two = store("two.db");
  const std::vector<std::string> first = judged(*one), second = judged(*two);
  const std::string text = read_file(folder_ / "out.jsonl");
  for (const char* told : {"Anna", "Bert", "1970"}) EXPECT_EQ(text.find(told), std::string::npos) << told;
  ASSERT_EQ(first.size(), 4u);
  EXPECT_EQ(first[0].substr(0, 10), "annotator-");
  EXPECT_NE(first[0], first[1]);
  EXPECT_EQ(first[1], first[2]);
  EXPECT_EQ(first[3], "careful");
  EXPECT_NE(first[1], second[1]);  // and nothing joins two stores' exports
}

}  // namespace
}  // namespace keel::feedback
