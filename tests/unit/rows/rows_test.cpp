#include "keel/rows/rows.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "keel/base/error.h"
#include "reading.h"

namespace keel {
namespace {

class Rows : public RowReading {
 protected:
  RowFile read(const std::string& content, const std::string& name = "data.jsonl") {
    return RowReading::read(content, RowFormat::automatic, name);
  }
  Row only_row(const std::string& content, const std::string& name = "data.jsonl") {
    const RowFile file = read(content, name);
    EXPECT_EQ(file.rows.size(), 1u);
    return file.rows.at(0);
  }
  std::string refusal(const std::string& content, const std::string& name = "data.jsonl") {
    return error(content, RowFormat::automatic, name);
  }
};

TEST_F(Rows, EachKindOfText) {
  const Row text = only_row(R"({"text": "once", "source": "x"})");
  EXPECT_EQ(text.kind, RowKind::text);
  EXPECT_FALSE(text.has_prompt);
  EXPECT_EQ(text.completions, (std::vector<Passage>{{.text = "once"}}));
  EXPECT_EQ(json_text(text.extra), R"({"source":"x"})");

  const Row prompt = only_row(R"({"prompt": "p", "label": "safe"})");
  EXPECT_EQ(prompt.kind, RowKind::prompt);
  EXPECT_TRUE(prompt.completions.empty());
  EXPECT_EQ(prompt.extra["label"], "safe");

  const Row demonstration = only_row(R"({"prompt": "p", "completion": "c"})");
  EXPECT_EQ(demonstration.kind, RowKind::completion);
  EXPECT_TRUE(demonstration.has_prompt);
  EXPECT_EQ(demonstration.prompt.text, "p");
  EXPECT_EQ(demonstration.completions[0].text, "c");
}

TEST_F(Rows, PreferencesAreRankedPairs) {
  const Row row = only_row(R"({"rejected": "bad", "chosen": "good", "prompt": "p", "gold": [1.5, 0.5]})");
  EXPECT_EQ(row.kind, RowKind::preference);
  EXPECT_EQ(row.completions[0].text, "good");
  EXPECT_EQ(row.completions[1].text, "bad");
  EXPECT_EQ(row.ranks, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(row.extra["gold"][0], 1.5);
}

TEST_F(Rows, PreferencesOfWholeDialoguesShareTheirPrompt) {
  const Row row = only_row(R"({"chosen": "Human: hi there\n\nAssistant: Hello you", )"
                           R"("rejected": "Human: hi there\n\nAssistant: Help"})");
  EXPECT_TRUE(row.has_prompt);
  EXPECT_EQ(row.prompt.text, "Human: hi there\n\nAssistant:");  // not torn within "Hel"
  EXPECT_EQ(row.completions[0].text, " Hello you");
  EXPECT_EQ(row.completions[1].text, " Help");
  const Row spaced = only_row(R"({"chosen": "Assistant:  Yes", "rejected": "Assistant:  No"})");
  EXPECT_EQ(spaced.prompt.text, "Assistant:");  // all spaces stay with the answers
  const Row longer = only_row(R"({"chosen": "a b", "rejected": "a b c"})");
  EXPECT_EQ(longer.prompt.text + "|" + longer.completions[0].text + "|" + longer.completions[1].text,
            "a| b| b c");
  const Row ids = only_row(R"({"chosen_ids": [1, 5, 6, 7], "rejected_ids": [1, 5]})");
  EXPECT_EQ(ids.prompt.ids, (std::vector<int64_t>{1}));
  EXPECT_EQ(ids.completions[0].ids, (std::vector<int64_t>{5, 6, 7}));
  EXPECT_EQ(ids.completions[1].ids, (std::vector<int64_t>{5}));
  const Row apart = only_row(R"({"chosen": "yes", "rejected": "no"})");
  EXPECT_FALSE(apart.has_prompt);
  EXPECT_EQ(apart.completions[0].text, "yes");
}

TEST_F(Rows, RankingsKeepTies) {
  const Row row = only_row(R"({"prompt": "p", "completions": ["a", "b", "c"], "ranks": [2, 1, 2]})");
  EXPECT_EQ(row.kind, RowKind::ranking);
  EXPECT_EQ(row.completions.size(), 3u);
  EXPECT_EQ(row.ranks, (std::vector<int64_t>{2, 1, 2}));
}

TEST_F(Rows, LabelsInAllTheirForms) {
  const RowFile file = read(R"({"prompt": "p", "completion": "c", "label": true}
{"prompt": "p", "completion": "c", "label": 0}
{"text": "t", "label": 1}
{"text": "t", "label": false}
{"text": "t", "label": null})");
  ASSERT_EQ(file.rows.size(), 4u);
  for (const Row& row : file.rows) EXPECT_EQ(row.kind, RowKind::label);
  EXPECT_EQ(*file.rows[0].label, true);
  EXPECT_EQ(*file.rows[1].label, false);
  EXPECT_EQ(*file.rows[2].label, true);
  EXPECT_EQ(*file.rows[3].label, false);
  EXPECT_TRUE(file.rows[0].has_prompt);
  EXPECT_FALSE(file.rows[2].has_prompt);
  EXPECT_EQ(file.refused, (std::map<std::string, int64_t>{{"label is null", 1}}));
}

TEST_F(Rows, IdsStandForTexts) {
  const Row text = only_row(R"({"input_ids": [1, 5, 0]})");
  EXPECT_EQ(text.kind, RowKind::text);
  EXPECT_EQ(text.completions[0], (Passage{.text = "", .ids = {1, 5, 0}, .has_ids = true}));
  const Row pair = only_row(R"({"prompt_ids": [1], "chosen_ids": [2, 3], "rejected_ids": [4]})");
  EXPECT_EQ(pair.kind, RowKind::preference);
  EXPECT_EQ(pair.completions[0].ids, (std::vector<int64_t>{2, 3}));
  const Row label =
      only_row(R"({"prompt_ids": [1], "completion_ids": [2], "completion": "both", "label": 1})");
  EXPECT_EQ(label.kind, RowKind::label);
  EXPECT_EQ(label.completions[0], (Passage{.text = "both", .ids = {2}, .has_ids = true}));
  EXPECT_TRUE(label.extra.empty());
}

TEST_F(Rows, SamplesKeepTheIdsThatWereDrawn) {
  const RowFile file = read(
      R"({"prompt": "p", "completion": "c", "tokens": [5, 2], "logps": [-1, -1], "finish_reason": "stop"})"
      "\n"
      R"({"prompt_ids": [4], "tokens": [2], "finish_reason": "stop"})"
      "\n"
      R"({"prompt": "p", "completion": "", "tokens": [2], "finish_reason": "stop"})"
      "\n"
      R"({"prompt": "p", "completion": "c", "tokens": ["c"]})");
  EXPECT_EQ(file.rows[0].sampled, (std::vector<int64_t>{5, 2}));
  EXPECT_FALSE(file.rows[0].completions[0].has_ids);
  for (size_t i : {1, 2}) EXPECT_EQ(file.rows[i].completions[0].ids, (std::vector<int64_t>{2}));
  EXPECT_FALSE(file.rows[3].sampled.has_value());  // somebody else's tokens
}

TEST_F(Rows, RankingsOfIdsMayMixBothLists) {
  const Row ids = only_row(R"({"prompt_ids": [1], "completions_ids": [[2], [3, 4]], "ranks": [1, 1]})");
  EXPECT_EQ(ids.completions[1].ids, (std::vector<int64_t>{3, 4}));
  const Row mixed = only_row(
      R"({"prompt": "p", "completions": ["a", null], "completions_ids": [null, [7]], "ranks": [1, 2]})");
  EXPECT_EQ(mixed.completions[0], Passage{.text = "a"});
  EXPECT_EQ(mixed.completions[1], (Passage{.text = "", .ids = {7}, .has_ids = true}));
}

TEST_F(Rows, KeepTheOrderAndLineOfTheFile) {
  const RowFile file = read("{\"text\": \"a\"}\r\n\n  \n{\"text\": \"b\"}\n{\"text\": \"c\"}");
  ASSERT_EQ(file.rows.size(), 3u);
  EXPECT_EQ(file.rows[1].line, 4);
  EXPECT_EQ(file.rows[2].line, 5);
  EXPECT_EQ(file.rows[2].completions[0].text, "c");
  EXPECT_TRUE(read("").rows.empty());
}

TEST_F(Rows, ArraysNameTheLineOfEachElement) {
  const RowFile file = read("\n[\n {\"text\": \"a],\\\"[\"},\n\n {\"text\":\n \"b\"}]\n", "data.json");
  ASSERT_EQ(file.rows.size(), 2u);
  EXPECT_EQ(file.rows[0].line, 3);
  EXPECT_EQ(file.rows[0].completions[0].text, "a],\"[");
  EXPECT_EQ(file.rows[1].line, 5);
  EXPECT_TRUE(read(" [ ] ", "data.json").rows.empty());
  EXPECT_EQ(read("{\"text\": \"a\"}\n{\"text\": \"b\"}", "data.json").rows.size(), 2u);
}

TEST_F(Rows, DamagedArraysNameTheirLine) {
  EXPECT_EQ(refusal("[\n{\"text\": \"a\"},\n{\"text\":\n oops}]", "data.json"),
            "data.json:4] expected JSON, got \" oops}\" with a mistake at byte 2");
  EXPECT_NE(refusal("[{\"text\": \"a\"},]", "data.json").find("data.json:1] expected JSON"),
            std::string::npos);
  EXPECT_EQ(refusal("[{\"text\": \"a\"}\n", "data.json"),
            "data.json:2] expected \"]\" at the end of the array, got the end of the file");
  EXPECT_EQ(refusal("[{\"text\": \"a\"}]\nmore", "data.json"),
            "data.json:2] expected nothing after the array, got \"more\"");
  EXPECT_NE(refusal("[{\"text\": \"a\\", "data.json").find("end of the file"), std::string::npos);
}

TEST_F(Rows, CsvCellsTakeTheTypesOfTheirFields) {
  const RowFile file =
      read("prompt,completion,label,note\n\"a, b\",c,1,x\nd,\"e\nf\",false,\ng,h,,\n", "data.csv");
  ASSERT_EQ(file.rows.size(), 2u);
  EXPECT_EQ(file.rows[0].prompt.text, "a, b");
  EXPECT_EQ(*file.rows[0].label, true);
  EXPECT_EQ(file.rows[0].extra["note"], "x");
  EXPECT_EQ(file.rows[1].completions[0].text, "e\nf");
  EXPECT_EQ(*file.rows[1].label, false);
  EXPECT_EQ(file.refused.at("label is null"), 1);
  const Row ranking =
      only_row("prompt,completions,ranks\np,\"[\"\"a\"\", \"\"b\"\"]\",\"[2, 1]\"\n", "data.csv");
  EXPECT_EQ(ranking.kind, RowKind::ranking);
  EXPECT_EQ(ranking.ranks, (std::vector<int64_t>{2, 1}));
  const Row rating =
      only_row("text,ratings,scale,weight\nt,\"{\"\"kind\"\": 2}\",\"[0, 3]\",0.5\n", "data.csv");
  EXPECT_EQ(rating.ratings, (std::vector<Rating>{{"kind", 2}}));
  EXPECT_EQ(rating.weight, 0.5);
  EXPECT_EQ(only_row("input_ids\n\"[3, 4]\"\n", "data.csv").completions[0].ids, (std::vector<int64_t>{3, 4}));
}

TEST_F(Rows, CsvMistakesNameTheirLine) {
  EXPECT_EQ(refusal("", "data.csv"), "data.csv] expected a header line, got an empty file");
  EXPECT_EQ(refusal("text,text\n", "data.csv"),
            "data.csv:1] expected each column's name once, got one twice");
  EXPECT_EQ(refusal("text,x\na,b\na\n", "data.csv"), "data.csv:3] expected 2 cells as in the header, got 1");
  EXPECT_EQ(refusal("text,label\na,maybe\n", "data.csv"),
            "data.csv:2] expected true, false, 0 or 1 for `label`, got string \"maybe\"");
}

TEST_F(Rows, GzippedFilesAndByteOrderMarks) {
  const std::filesystem::path path = folder_ / "data.jsonl.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  gzputs(file, "{\"text\": \"packed\"}\n");
  gzclose(file);
  EXPECT_EQ(read_rows(path).rows.at(0).completions[0].text, "packed");
  EXPECT_EQ(only_row("\xEF\xBB\xBF{\"text\": \"a\"}").completions[0].text, "a");
}

TEST_F(Rows, MalformedLinesAreNamed) {
  EXPECT_EQ(refusal("{\"text\": \"a\"}\n\n{'text': 1}\n"),
            "data.jsonl:3] expected JSON, got \"{'text': 1}\" with a mistake at byte 2");
  EXPECT_NE(refusal("{\"text\": \"a").find("data.jsonl:1] expected JSON"), std::string::npos);
  EXPECT_NE(refusal("{\"text\": \"\xff\"}").find("data.jsonl:1] expected JSON"), std::string::npos);
  EXPECT_NE(refusal("{\"text\": \"\\ud800\"}").find("data.jsonl:1] expected JSON"), std::string::npos);
  EXPECT_NE(refusal("{\"text\": 1e999}").find("data.jsonl:1] expected JSON"), std::string::npos);
  EXPECT_EQ(refusal("7\n"), "data.jsonl:1] expected a JSON object a row, got number 7");
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  EXPECT_EQ(refusal("{\"text\": \"a\", \"x\": " + deep + "}"),
            "data.jsonl:1] expected JSON nested at most 64 deep, got more");
}

TEST_F(Rows, UnknownShapesNameTheKnownOnes) {
  const std::string message = refusal("{\"text\": \"a\"}\n{\"instruction\": \"a\", \"output\": \"b\"}");
  EXPECT_NE(
      message.find("data.jsonl:2] expected one of these sets of fields: text | prompt | prompt, completion"),
      std::string::npos);
  EXPECT_NE(message.find("got \"instruction\", \"output\""), std::string::npos);
  EXPECT_NE(refusal("{}").find("; got none"), std::string::npos);
}

TEST_F(Rows, MissingHalvesAreNamed) {
  EXPECT_EQ(refusal(R"({"prompt": "p", "chosen": "c"})"),
            "data.jsonl:1] expected a `rejected` beside the other fields of its row, got none");
  EXPECT_NE(refusal(R"({"completion": "c"})").find("expected a `prompt` beside"), std::string::npos);
  EXPECT_NE(refusal(R"({"prompt": null, "completion": "c"})").find("expected a `prompt` beside"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"prompt": "p", "completions": ["a", "b"]})").find("expected `ranks`"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"prompt": "p", "ranks": [1, 2]})").find("expected `completions`"), std::string::npos);
}

TEST_F(Rows, RatingsAreNumbersByDimension) {
  const Row row = only_row(R"({"prompt": "p", "completion": "c", "ratings": {"helpful": 4, "honest": null, )"
                           R"("kind": 2.5}, "scale": [1, 5], "comment": "x"})");
  EXPECT_EQ(row.kind, RowKind::rating);
  EXPECT_EQ(row.ratings, (std::vector<Rating>{{"helpful", 4}, {"kind", 2.5}}));
  EXPECT_EQ(row.scale, std::pair(1.0, 5.0));
  EXPECT_EQ(json_text(row.extra), R"({"comment":"x"})");
  const Row text = only_row(R"({"text": "t", "ratings": {"helpful": -1}, "label": 1})");
  EXPECT_FALSE(text.has_prompt);
  EXPECT_FALSE(text.scale);
  EXPECT_EQ(text.extra["label"], 1);
  EXPECT_EQ(read(R"({"text": "t", "ratings": null})").refused.at("ratings are null"), 1);
  EXPECT_EQ(read(R"({"text": "t", "ratings": {"a": null}})").refused.at("ratings are null"), 1);
  EXPECT_EQ(only_row(R"({"prompt": "p", "ratings": [1]})").kind, RowKind::prompt);
}

TEST_F(Rows, RatingsMustLieOnTheirScale) {
  const auto refused = [&](const char* rest) {
    return refusal("{\"text\": \"t\", " + std::string(rest) + "}");
  };
  EXPECT_NE(
      refused(R"("ratings": {"a": 6}, "scale": [1, 5])").find("expected ratings on the scale [1,5], got 6"),
      std::string::npos);
  EXPECT_NE(refused(R"("ratings": {"a": 0.5}, "scale": [1, 5])").find("got 0.5"), std::string::npos);
  for (const char* scale : {"[5, 1]", "[1, 1]", "[1]", "[1, 2, 3]"})
    EXPECT_NE(refused((R"("ratings": {"a": 1}, "scale": )" + std::string(scale)).c_str())
                  .find("expected [lowest, highest] for `scale`"),
              std::string::npos)
        << scale;
  EXPECT_NE(refused(R"("ratings": {"a": "high"})").find("expected a number for `ratings.a`, got string"),
            std::string::npos);
  EXPECT_NE(refused(R"("ratings": [4])").find("expected an object for `ratings`, got array [4]"),
            std::string::npos);
}

TEST_F(Rows, WeightsAreOfJudgementsAndNotBelowZero) {
  EXPECT_EQ(only_row(R"({"prompt": "p", "chosen": "a", "rejected": "b"})").weight, 1);
  EXPECT_EQ(only_row(R"({"prompt": "p", "chosen": "a", "rejected": "b", "weight": null})").weight, 1);
  const Row row = only_row(R"({"prompt": "p", "chosen": "a", "rejected": "b", "weight": 0})");
  EXPECT_EQ(row.weight, 0);
  EXPECT_TRUE(row.extra.empty());
  EXPECT_EQ(only_row(R"({"text": "t", "weight": -3})").extra["weight"], -3);  // nobody judged it
  EXPECT_EQ(refusal(R"({"text": "t", "label": 1, "weight": -0.5})"),
            "data.jsonl:1] expected a `weight` of at least 0, got number -0.5");
  EXPECT_NE(refusal(R"({"text": "t", "label": 1, "weight": "2"})").find("expected a number for `weight`"),
            std::string::npos);
}

TEST_F(Rows, ComparisonsMayDoWithoutAPrompt) {
  EXPECT_FALSE(only_row(R"({"completions": ["a b", "a c"], "ranks": [1, 2]})").has_prompt);
  const Row row = only_row(R"({"prompt": "", "chosen": "a b", "rejected": "a c"})");
  EXPECT_FALSE(row.has_prompt);
  EXPECT_EQ(row.completions[0].text, "a b");
  EXPECT_TRUE(
      only_row(R"({"prompt": "", "prompt_ids": [3], "chosen": "a b", "rejected": "a c"})").has_prompt);
}

TEST_F(Rows, EmptyTextsAndIdsNameTheirField) {
  EXPECT_EQ(refusal(R"({"prompt": "", "completion": "c"})"),
            "data.jsonl:1] expected at least one character for `prompt`, got an empty text");
  EXPECT_EQ(refusal(R"({"prompt_ids": [], "completion": "c"})"),
            "data.jsonl:1] expected at least one id for `prompt`, got an empty list");
  EXPECT_NE(refusal(R"({"prompt": "p", "completion": ""})").find("`completion`"), std::string::npos);
  EXPECT_NE(refusal(R"({"text": ""})").find("`text`"), std::string::npos);
  EXPECT_NE(refusal(R"({"prompt": "p", "completions": ["a", ""], "ranks": [1, 2]})").find("`completions[1]`"),
            std::string::npos);
}

TEST_F(Rows, IdsMustBeSmallEnoughIntegersNotBelowZero) {
  EXPECT_EQ(refusal(R"({"input_ids": [1, -2]})"),
            "data.jsonl:1] expected integers of at least 0 for `ids of text`, got number -2");
  for (const char* bad : {"1.0", "\"1\"", "true", "null", "9223372036854775808", "[1]"})
    EXPECT_NE(refusal("{\"input_ids\": [" + std::string(bad) + "]}").find("expected integers of at least 0"),
              std::string::npos)
        << bad;
  EXPECT_NE(refusal(R"({"input_ids": "1 2"})").find("expected a list of integers"), std::string::npos);
}

TEST_F(Rows, RanksMustFitTheirCompletions) {
  const auto with_ranks = [&](const char* ranks) {
    return refusal(R"({"prompt": "p", "completions": ["a", "b"], "ranks": )" + std::string(ranks) + "}");
  };
  EXPECT_NE(with_ranks("[1]").find("expected a rank for each of the 2 completions, got 1"),
            std::string::npos);
  EXPECT_NE(with_ranks("[0, 1]").find("integers of at least 1 for `ranks`"), std::string::npos);
  EXPECT_NE(with_ranks("[1.5, 2]").find("integers of at least 1 for `ranks`"), std::string::npos);
  EXPECT_NE(refusal(R"({"prompt": "p", "completions": ["a"], "ranks": [1]})").find("at least two"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"prompt": "p", "completions": "a", "ranks": [1]})").find("expected a list"),
            std::string::npos);
}

TEST_F(Rows, FieldsOfTheWrongTypeAreNamed) {
  EXPECT_EQ(refusal(R"({"text": 5})"), "data.jsonl:1] expected text for `text`, got number 5");
  EXPECT_NE(refusal(R"({"text": "t", "label": 2})").find("expected true, false, 0 or 1 for `label`"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"text": "t", "label": 0.5})").find("for `label`"), std::string::npos);
}

TEST_F(Rows, EqualSidesAreCountedNotTaken) {
  const RowFile file = read(R"({"prompt": "p", "chosen": "a", "rejected": "a"}
{"prompt": "p", "chosen": "a", "rejected": "b"})");
  EXPECT_EQ(file.rows.size(), 1u);
  EXPECT_EQ(file.refused, (std::map<std::string, int64_t>{{"chosen equals rejected", 1}}));
  EXPECT_EQ(read(R"({"prompt": "p", "completions": ["a", "a", "a"], "ranks": [1, 2, 3]})").refused,
            (std::map<std::string, int64_t>{{"all completions are equal", 1}}));
}

TEST_F(Rows, UnknownKindsOfFileAndMissingOnesAreRefused) {
  EXPECT_NE(refusal("x", "data.txt").find("expected a name that ends in .jsonl"), std::string::npos);
  EXPECT_THROW(read_rows(folder_ / "absent.jsonl"), Error);
}

TEST(RowsOfRealFiles, AreReadInFull) {
  const char* given = std::getenv("KEEL_TEST_DATA");
  const std::filesystem::path data = given ? given : "../shared/data";
  if (!std::filesystem::exists(data / "red-team")) GTEST_SKIP() << "no data in " << data;
  // Counts: 450 and 450 of red-team/README.md; the quoted cells of the second file span many lines.
  EXPECT_EQ(read_rows(data / "red-team/xstest_prompts.csv").rows.size(), 450u);
  EXPECT_EQ(read_rows(data / "red-team/xstest_completions_gpt4_gpteval.csv.gz").rows.size(), 450u);
}

}  // namespace
}  // namespace keel
