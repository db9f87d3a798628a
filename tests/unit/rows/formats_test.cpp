#include "keel/rows/formats.h"

#include "keel/base/error.h"
#include "reading.h"

namespace keel {
namespace {

class Formats : public RowReading {};

TEST_F(Formats, HaveNames) {
  for (const std::string& name : row_format_names()) EXPECT_NO_THROW(row_format(name));
  EXPECT_EQ(row_format("label_studio"), RowFormat::label_studio);
  EXPECT_EQ(row_format("auto"), RowFormat::automatic);
  EXPECT_THROW(row_format("json"), UsageError);
  EXPECT_EQ(
      message_of([] { row_format("hhh", "--format"); }),
      "[--format] expected one of auto, label_studio, argilla, qa_feedback, alpacaeval, hh, keel, trl, got "
      "\"hhh\"");
}

TEST_F(Formats, ThatAreNamedWantTheirFields) {
  const std::string row = R"({"prompt": "p", "completion": "c", "label": 1})";
  EXPECT_EQ(
      error(row, RowFormat::argilla),
      "data.jsonl:1] expected the fields of argilla, fields and responses or suggestions, got \"prompt\", "
      "\"completion\", \"label\"");
  for (const RowFormat format :
       {RowFormat::label_studio, RowFormat::qa_feedback, RowFormat::alpacaeval, RowFormat::hh})
    EXPECT_HAS(error(row, format), "data.jsonl:1] expected the fields of ");
  EXPECT_HAS(error(R"({"completions": ["a", "b"], "ranks": [1, 2]})", RowFormat::trl),
             "expected the fields of trl");
  EXPECT_EQ(only_row(row, RowFormat::trl).kind, RowKind::label);
  EXPECT_EQ(only_row(row, RowFormat::keel).kind, RowKind::label);
}

TEST_F(Formats, OfAFileMayDiffer) {
  const RowFile file = read(R"({"text": "t"}
{"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}
{"fields": {"text": "t"}, "responses": {"label": [{"value": "yes", "user_id": "u"}]}})");
  ASSERT_EQ(file.rows.size(), 3u);
  EXPECT_EQ(file.records, 3);
  EXPECT_EQ(file.rows[1].prompt.text, "\n\nHuman: a\n\nAssistant:");
  EXPECT_EQ(file.rows[2].kind, RowKind::label);
  EXPECT_EQ(file.rows[2].line, 3);
}

TEST_F(Formats, TrlsPromptsEndWhereTrlEndsThem) {
  const auto cut = [&](const std::string& chosen, const std::string& rejected) {
    const Row row = only_row(json_text({{"chosen", chosen}, {"rejected", rejected}}), RowFormat::trl);
    return row.prompt.text + "|" + texts(row)[0] + "|" + texts(row)[1];
  };
  // What trl 0.24's extract_prompt gives.
  EXPECT_EQ(cut("The sky is blue.", "The sky is green."), "The sky is| blue.| green.");
  EXPECT_EQ(cut("Hello", "Help"), "Hel|lo|p");
  EXPECT_EQ(cut("a b", "a b c"), "a |b|b c");
  EXPECT_EQ(cut("caf\u00e9", "caf\u00e8"), "caf|\u00e9|\u00e8");
  EXPECT_EQ(cut("caf\u00e9", "caf\u00e9s"), "caf|\u00e9|\u00e9s");
  EXPECT_EQ(cut("yes", "no"), "|yes|no");
}

TEST_F(Formats, HhsPromptEndsWithTheLastSharedTurn) {
  const auto read_pair = [&](const std::string& chosen, const std::string& rejected) {
    return read(json_text({{"chosen", chosen}, {"rejected", rejected}, {"id", 7}}), RowFormat::hh);
  };
  const std::string dialogue = "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:";
  const RowFile file = read_pair(dialogue + " I can", dialogue + " I will");
  ASSERT_EQ(file.rows.size(), 1u);
  EXPECT_EQ(file.rows[0].prompt.text, dialogue);  // TRL's would hold " I"
  EXPECT_EQ(texts(file.rows[0]), (std::vector<std::string>{" I can", " I will"}));
  EXPECT_EQ(json_text(file.rows[0].extra), R"({"id":7})");
  const auto reason = [&](const std::string& chosen, const std::string& rejected) {
    const RowFile refused = read_pair(chosen, rejected);
    return refused.refused.empty() ? "taken" : refused.refused.begin()->first;
  };
  EXPECT_EQ(reason(dialogue + " x", dialogue + " x"), "chosen equals rejected");
  EXPECT_EQ(reason(dialogue + " x\n\nHuman: d", dialogue + " y"),
            "different dialogues: one goes on with another turn");
  EXPECT_EQ(reason(dialogue + " x", dialogue + " y\n\nAssistant: d"),
            "different dialogues: one goes on with another turn");
  EXPECT_EQ(reason("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: c\n\nAssistant: b"),
            "different dialogues: no beginning that ends with \"Assistant:\" is shared");
  EXPECT_EQ(reason(dialogue, dialogue + " y"), "a side has no answer");
  EXPECT_EQ(reason(dialogue + " ", dialogue + " y"), "taken");
  EXPECT_HAS(error(R"({"chosen": 1, "rejected": "\n\nAssistant: a"})", RowFormat::hh),
             "expected the fields of hh");
}

TEST_F(Formats, QaFeedbackBecomesRankingRatingsAndEdit) {
  const auto record = [](const std::string& preference, const std::string& errors,
                         const std::string& corrected) {
    return R"({"question": "Q?", "passages": [["T", "s1.", "s2."], ["U", "s3."]], "gold": "g", )"
           R"("prediction 1": "abcdefghi\u00e9", "prediction 2": "b", "prediction 3": "c", "prediction 4": "d", )"
           R"("preference": )" +
           preference + R"(, "feedback": {"errors": [)" + errors + R"(], "missing-info": [{}], )" +
           R"("corrected-prediction": ")" + corrected + "\"}}";
  };
  const std::string errors = R"({"error type": "Irrelevant", "start": 0, "end": 2, "explanation": ""}, )"
                             R"({"error type": "Redundant", "start": 1, "end": 3, "explanation": ""}, )"
                             R"({"error type": "Unverifiable", "start": 9, "end": 10, "explanation": ""})";
  const RowFile file = read(record("[1, 0, 1, 2, 0, 1]", errors, "abc"));
  ASSERT_EQ(file.rows.size(), 3u);
  EXPECT_EQ(file.rows[0].prompt.text,
            "question: Q? context: wikipage: T text: s1. s2. | wikipage: U text: s3.");
  EXPECT_EQ(file.rows[0].ranks, (Ranks{1, 3, 1, 3}));
  EXPECT_EQ(json_text(file.rows[0].extra), R"({"kind":"human","gold":"g"})");
  EXPECT_EQ(file.rows[1].kind, RowKind::rating);
  EXPECT_EQ(file.rows[1].ratings,
            (std::vector<Rating>{{"relevance", 0.7}, {"factuality", 0.9}, {"completeness", 0}}));
  EXPECT_EQ(file.rows[1].scale, std::pair(0.0, 1.0));
  EXPECT_EQ(file.rows[1].extra["errors"].size(), 3u);
  EXPECT_EQ(file.rows[2].kind, RowKind::completion);
  EXPECT_EQ(texts(file.rows[2])[0], "abc");
  EXPECT_EQ(file.rows[2].extra["edit_of"], "abcdefghi\u00e9");

  const RowFile others =
      read(record("[1, 0, 1, 0, 0, 0]", "", "abcdefghi\u00e9") + "\n" +
           record("[1, 2, 0, 1, 0, 0]", "", " ") + "\n" + record("[0, 0, 0, 0, 0, 0]", "", "x"));
  EXPECT_EQ(others.refused, (Refused{{"a correction changes nothing", 1},
                                     {"a correction is empty", 1},
                                     {"no ranking fits the comparisons", 2}}));
  EXPECT_EQ(others.rows.size(), 5u);
  EXPECT_EQ(others.rows[2].ranks, (Ranks{1, 1, 1, 1}));

  const std::string good = "[1, 0, 1, 2, 0, 1]";
  EXPECT_HAS(error(record("[1, 0, 1, 2, 0]", "", "x")), "expected 6 comparisons in `preference`, got 5");
  EXPECT_HAS(error(record("[1, 0, 1, 2, 0, 3]", "", "x")), "expected 0, 1 or 2 in `preference`, got 3");
  EXPECT_HAS(error(record(good, R"({"error type": "New", "start": 0, "end": 1})", "x")),
             "known `error type`");
  EXPECT_HAS(error(record(good, R"({"error type": "Irrelevant", "start": 0, "end": 11})", "x")),
             "expected `end` within the 10 characters of the answer, got 11");
  EXPECT_HAS(error(record(good, R"({"error type": "Irrelevant", "start": 3, "end": 1})", "x")), "exchanged");
  EXPECT_HAS(error(record(good, R"({"error type": "Irrelevant", "start": -1, "end": 1})", "x")), "`start`");
}

TEST_F(Formats, AlpacaevalsRankingsAreAnAis) {
  const Row responses =
      only_row(R"({"id": 3, "dataset": "d", "prompt": "p", "responses": ["a", "b", "c", "x"], )"
               R"("gpt4_preference_over_ref": [0.25, 0.75, 0.25, null], "reference_gpt35t": "r"})");
  EXPECT_EQ(responses.kind, RowKind::ranking);
  EXPECT_EQ(texts(responses), (std::vector<std::string>{"a", "b", "c", "r"}));
  EXPECT_EQ(responses.ranks, (Ranks{3, 1, 3, 2}));
  EXPECT_EQ(json_text(responses.extra),
            R"({"annotator":"gpt4","kind":"ai","scores":[0.25,0.75,0.25,0.5],"models":["","","","gpt35t"],)"
            R"("id":3,"dataset":"d"})");
  const std::string candidate = R"({"model": "m1", "response": "a", "gpt4_win_over_text_davinci_003": )";
  const Row candidates =
      only_row(R"({"prompt": "p", "candidates": [)" + candidate + "0.0}, " + candidate + "null}, " +
               R"({"model": "m2", "response": "b", "gpt4_win_over_text_davinci_003": 1.0}]})");
  EXPECT_EQ(candidates.ranks, (Ranks{2, 1}));
  EXPECT_EQ(json_text(candidates.extra["models"]), R"(["m1","m2"])");
  EXPECT_EQ(left_out(R"({"prompt": "p", "candidates": [)" + candidate + "1.0}]}"),
            "fewer than two answers have a preference");
  const RowFile empty = read(R"({"prompt": "p", "responses": ["a", "", "b"], )"
                             R"("gpt4_preference_over_ref": [0.5, 0.25, 0.75]})");
  EXPECT_EQ(texts(empty.rows.at(0)), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(empty.refused, (Refused{{"an answer without text is left out of its ranking", 1}}));
  EXPECT_HAS(error(R"({"prompt": "p", "responses": ["a"], "gpt4_preference_over_ref": [1, 0]})"),
             "expected as many `gpt4_preference_over_ref` as `responses`, got 2 and 1");
  EXPECT_HAS(error(R"({"prompt": "p", "candidates": [)" + candidate + "\"won\"}]}"), "expected a number");
}

}  // namespace
}  // namespace keel
