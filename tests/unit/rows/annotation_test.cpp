#include "keel/rows/annotation.h"

#include "reading.h"
#include "test_data.h"

namespace keel {
namespace {

class LabelStudio : public RowReading {
 protected:
  // A task of two answers, annotated with these results.
  static std::string task(const std::string& results, const std::string& rest = "") {
    return R"({"id": 5, "data": {"prompt": "p", "answer2": "b", "answer1": "a"}, )"
           R"("annotations": [{"id": 1, "completed_by": 3, "lead_time": 2.5, "result": [)" +
           results + "]}]" + rest + "}";
  }
  static std::string result(const std::string& type, const std::string& name, const std::string& value,
                            const std::string& target = "all") {
    return R"({"type": ")" + type + R"(", "from_name": ")" + name + R"(", "to_name": ")" + target +
           R"(", "value": {")" + value + "}}";
  }
};

// The file is a real server's export: tests/golden/rows/make_label_studio.py.
TEST_F(LabelStudio, AServersExport) {
  const RowFile file = read_rows(golden("rows/label_studio.json"));
  EXPECT_EQ(file.records, 7);
  EXPECT_EQ(file.refused, (Refused{{"a ranker with buckets orders nothing between them", 1},
                                   {"a task without annotations", 1},
                                   {"results of type \"number\" are not read", 1},
                                   {"skipped by the annotator", 1}}));
  ASSERT_EQ(file.rows.size(), 8u);
  EXPECT_EQ(file.rows[0].ranks, (Ranks{1, 2}));
  EXPECT_EQ(file.rows[0].prompt.text, "Name a red fruit.");
  EXPECT_EQ(texts(file.rows[0]), (std::vector<std::string>{"A cherry is red.", "A banana \u2014 yellow."}));
  EXPECT_EQ(json_text(file.rows[0].extra),
            R"({"kind":"human","annotator":"1","lead_time":7.5,"record":"1"})");
  EXPECT_EQ(file.rows[1].ranks, (Ranks{2, 1}));
  EXPECT_EQ(file.rows[1].extra["comment"], "The dash is nice.");
  EXPECT_EQ(file.rows[2].ranks, (Ranks{2, 1}));
  EXPECT_EQ(file.rows[3].ranks, (Ranks{2, 3, 1}));
  EXPECT_EQ(texts(file.rows[3])[2], "Rain leaves salt behind.");
  EXPECT_EQ(file.rows[4].label, true);
  EXPECT_EQ(file.rows[5].ratings, (std::vector<Rating>{{"helpful", 4}, {"harmless", 5}}));
  EXPECT_FALSE(file.rows[5].scale);
  EXPECT_EQ(file.rows[6].label, false);
  EXPECT_EQ(file.rows[7].kind, RowKind::completion);
  EXPECT_EQ(texts(file.rows[7])[0], "Rain taps the tin roof.");
}

TEST_F(LabelStudio, AnswersStandInTheOrderOfTheirNumbers) {
  const Row row = only_row(task(result("pairwise", "pw", R"(selected": "right")", "pw")));
  EXPECT_EQ(texts(row), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(row.ranks, (Ranks{2, 1}));
}

TEST_F(LabelStudio, AChoiceNamesAnAnswerOrPutsThemLevel) {
  const auto choice = [&](const std::string& word) {
    return task(result("choices", "best", R"(choices": [")" + word + "\"]"));
  };
  EXPECT_EQ(only_row(choice("Answer 2")).ranks, (Ranks{2, 1}));
  EXPECT_EQ(only_row(choice("Tie")).ranks, (Ranks{1, 1}));
  EXPECT_EQ(left_out(choice("Neither")), "a choice that is no completion's name, tie, yes or no");
  EXPECT_EQ(left_out(choice("Yes")), "a yes or no to no known completion");
  EXPECT_EQ(left_out(task(result("choices", "best", R"(choices": ["a", "b"])"))),
            "several choices, or none, where one is read");
}

TEST_F(LabelStudio, RatingsBelongToTheAnswerThatTheyName) {
  const RowFile file = read(task(result("rating", "helpful", R"(rating": 2)", "answer2") + ", " +
                                 result("rating", "helpful", R"(rating": 5)", "answer1") + ", " +
                                 result("rating", "quality_answer1", R"(rating": 4)") + ", " +
                                 result("rating", "overall", R"(rating": 1)")));
  ASSERT_EQ(file.rows.size(), 2u);
  EXPECT_EQ(texts(file.rows[0])[0], "b");
  EXPECT_EQ(file.rows[0].ratings, (std::vector<Rating>{{"helpful", 2}}));
  EXPECT_EQ(file.rows[1].ratings, (std::vector<Rating>{{"helpful", 5}, {"quality", 4}}));
  EXPECT_EQ(file.refused, (Refused{{"a rating of no known completion", 1}}));
}

TEST_F(LabelStudio, AJudgementOfThePromptIsNotOneOfItsAnswer) {
  const auto record = [](const std::string& results) {
    return R"({"data": {"prompt": "p", "response": "c"}, "annotations": [{"result": [)" + results + "]}]}";
  };
  EXPECT_EQ(left_out(record(result("rating", "clear", R"(rating": 2)", "prompt"))),
            "a rating of no known completion");
  EXPECT_EQ(left_out(record(result("choices", "clear", R"(choices": ["Yes"])", "prompt"))),
            "a yes or no to no known completion");
  EXPECT_EQ(only_row(record(result("rating", "clear", R"(rating": 2)", "txt"))).ratings[0].value, 2);
}

TEST_F(LabelStudio, AnswersWithoutTextAreCounted) {
  const std::string data =
      R"({"data": {"prompt": "", "answer1": "a", "answer2": ""}, "annotations": [{"result": [)";
  EXPECT_EQ(left_out(data + result("pairwise", "pw", R"(selected": "left")") + "]}]}"),
            "a completion without text");
  EXPECT_EQ(left_out(data + result("rating", "r", R"(rating": 3)", "answer2") + "]}]}"),
            "a completion without text");
  EXPECT_EQ(left_out(data + result("choices", "label", R"(choices": ["No"])", "answer2") + "]}]}"),
            "a completion without text");
  EXPECT_FALSE(only_row(data + result("rating", "r", R"(rating": 3)", "answer1") + "]}]}").has_prompt);
}

TEST_F(LabelStudio, YesMayMeanBadAndSoIsARatingOfItsQuestion) {
  const std::string record = R"({"data": {"question": "p", "response": "c"}, "annotations": [{"result": [)" +
                             result("choices", "hallucination", R"(choices": ["Yes"])") + ", " +
                             result("choices", "sourced", R"(choices": ["No"])") + ", " +
                             result("choices", "label", R"(choices": ["No"])") + "]}]}";
  const RowFile file = read(record);
  ASSERT_EQ(file.rows.size(), 2u);
  EXPECT_EQ(file.rows[0].label, false);
  EXPECT_EQ(file.rows[1].ratings, (std::vector<Rating>{{"hallucination", 1}, {"sourced", 0}}));
  EXPECT_EQ(file.rows[1].scale, std::pair(0.0, 1.0));
}

TEST_F(LabelStudio, PredictionsInFullAreAnAis) {
  const std::string pair = result("pairwise", "pw", R"(selected": "left")", "pw");
  const RowFile file =
      read(task(pair, R"(, "predictions": [4, {"model_version": "judge", "result": [)" + pair + "]}]"));
  ASSERT_EQ(file.rows.size(), 2u);
  EXPECT_EQ(json_text(file.rows[1].extra), R"({"kind":"ai","annotator":"judge","record":"5"})");
}

TEST_F(LabelStudio, ConversationsAreJudgedByTheirLastMessage) {
  const std::string record =
      R"({"data": {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}, )"
      R"("annotations": [{"completed_by": {"id": 4, "email": "a@b.c"}, "result": [)" +
      result("rating", "likert", R"(rating": 7)") + "]}]}";
  const Row row = only_row(record);
  EXPECT_EQ(row.prompt.text, "\n\nHuman: hi\n\nAssistant:");
  EXPECT_EQ(texts(row)[0], " ho");
  EXPECT_EQ(row.ratings, (std::vector<Rating>{{"likert", 7}}));
  EXPECT_EQ(row.extra["annotator"], "a@b.c");
}

TEST_F(LabelStudio, WhatHoldsNoJudgementIsCounted) {
  EXPECT_EQ(left_out(task("")), "nothing was answered");
  EXPECT_EQ(left_out(task(result("textarea", "c", R"(text": ["so", "so"])"))), "a comment alone");
  EXPECT_EQ(left_out(task(result("labels", "ner", R"(labels": ["PER"])"))),
            "results of type \"labels\" are not read");
  EXPECT_EQ(left_out(task(R"({"type": "relation", "from_id": "a", "to_id": "b"})")),
            "results of type \"relation\" are not read");
  EXPECT_EQ(left_out(task(result("ranker", "r", R"(ranker": {"a": ["answer1"], "b": ["answer2"]})"))),
            "a ranker with buckets orders nothing between them");
  EXPECT_EQ(left_out(task(result("ranker", "r", R"(ranker": ["answer1"])"))),
            "a comparison of fewer than two completions");
  EXPECT_EQ(only_row(task(result("ranker", "r", R"(ranker": ["answer2", "answer1"])"))).ranks, (Ranks{2, 1}));
}

TEST_F(LabelStudio, UnknownTextsAndNamesAreErrors) {
  EXPECT_HAS(error(R"({"data": {"image": "x", "alt": 7}, "annotations": [{"result": []}]})"),
             "expected a prompt or a completion among the texts, by names as prompt, instruction, response, "
             "answer1; "
             "got \"image\", \"alt\"");
  EXPECT_HAS(error(task(result("ranker", "r", R"(ranker": ["answer1", "answer9"])"))),
             "expected a completion's name in a ranking, got \"answer9\"");
  EXPECT_HAS(error(task(result("ranker", "r", R"(ranker": ["answer1", "answer1"])"))),
             "expected each completion once in a ranking, got \"answer1\" twice");
}

class Argilla : public RowReading {};

// The files are Argilla's own: tests/golden/rows/make_argilla.py.
TEST_F(Argilla, SecondVersionsRecords) {
  const RowFile file = read_rows(golden("rows/argilla_2.json"));
  EXPECT_EQ(file.records, 7);
  EXPECT_EQ(file.refused,
            (Refused{{"a record without responses", 1}, {"an answer to \"topics\" is of no known kind", 1}}));
  ASSERT_EQ(file.rows.size(), 10u);
  EXPECT_EQ(file.rows[0].ranks, (Ranks{1, 3, 2}));
  EXPECT_EQ(json_text(file.rows[0].extra),
            R"({"kind":"human","annotator":"00000000-0000-0000-0000-00000000000a","record":"record-0",)"
            R"("metadata":{"split":"train"}})");
  EXPECT_EQ(file.rows[1].ranks, (Ranks{2, 3, 1}));
  EXPECT_EQ(file.rows[1].extra["comment"], "The second one is not red.");
  EXPECT_EQ(file.rows[2].ranks, (Ranks{1, 2, 3}));
  EXPECT_EQ(file.rows[2].extra["kind"], "ai");
  EXPECT_EQ(file.rows[2].extra["annotator"], "judge-7b");
  EXPECT_EQ(file.rows[3].ranks, (Ranks{2, 1, 2}));  // the best of three
  EXPECT_EQ(file.rows[4].label, true);
  EXPECT_EQ(file.rows[5].ratings, (std::vector<Rating>{{"helpful", 4}, {"harmless", 5}}));
  EXPECT_EQ(file.rows[5].prompt.text, "How long should tea steep?");
  EXPECT_EQ(file.rows[6].ratings, (std::vector<Rating>{{"hallucination", 0}}));
  EXPECT_FALSE(file.rows[7].extra.contains("annotator"));
  EXPECT_EQ(file.rows[7].extra["kind"], "ai");
  EXPECT_EQ(texts(file.rows[8])[0], "Rain taps the tin roof.");
  EXPECT_EQ(file.rows[9].prompt.text, "\n\nSystem: Be brief.\n\nHuman: Is the sea salty?\n\nAssistant:");
  EXPECT_EQ(file.rows[9].label, false);
}

TEST_F(Argilla, FirstVersionsRecords) {
  const RowFile file = read_rows(golden("rows/argilla_1.json"));
  EXPECT_EQ(file.refused,
            (Refused{{"a response that is \"discarded\"", 1}, {"a response that is \"draft\"", 1}}));
  ASSERT_EQ(file.rows.size(), 7u);
  EXPECT_EQ(file.rows[0].ranks, (Ranks{1, 2, 2}));
  EXPECT_EQ(file.rows[1].ranks, (Ranks{2, 3, 1}));
  EXPECT_EQ(file.rows[1].extra["comment"], "The second one is not red.");
  EXPECT_EQ(file.rows[2].ranks, (Ranks{1, 3, 2}));
  EXPECT_EQ(json_text(file.rows[2].extra), R"({"kind":"ai","annotator":"judge-7b","record":"record-0"})");
  EXPECT_EQ(file.rows[3].label, true);
  EXPECT_EQ(file.rows[4].ratings, (std::vector<Rating>{{"helpful", 4}, {"harmless", 5}}));
  EXPECT_EQ(json_text(file.rows[5].extra), R"({"kind":"human","annotator":"Cy"})");
  EXPECT_EQ(texts(file.rows[6])[0], "Rain taps the tin roof.");
}

TEST_F(Argilla, WordsThatNobodyCanPlaceAreNoDemonstrations) {
  EXPECT_EQ(
      left_out(
          R"({"fields": {"prompt": "p"}, "responses": {"topic": [{"value": "sport", "user_id": "u"}]}})"),
      "an answer to \"topic\" is of no known kind");
  EXPECT_EQ(left_out(R"({"fields": {"prompt": "p", "response": "r"}, )"
                     R"("responses": {"response": [{"value": "better", "user_id": "u"}]}})"),
            "an answer to \"response\" is of no known kind");  // a correction or a remark
  const Row row = only_row(R"({"fields": {"prompt": "p", "context": "x"}, "external_id": "e", )"
                           R"("responses": {"answer": [{"value": "better", "user_id": "u"}]}})");
  EXPECT_EQ(json_text(row.extra),
            R"({"kind":"human","annotator":"u","record":"e","fields":{"context":"x"}})");
}

TEST_F(Argilla, AChatsAnswersAreMessagesToo) {
  const std::string chat = R"({"fields": {"chat": [{"role": "user", "content": "hi"}])";
  const Row pair = only_row(chat + R"(, "response1": "a", "response2": "b"}, )"
                                   R"("responses": {"best": [{"value": "response1", "user_id": "u"}]}})");
  EXPECT_EQ(pair.completions[0].messages, (std::vector<Message>{{"assistant", "a"}}));
  EXPECT_EQ(pair.prompt.text + pair.completions[1].text, "\n\nHuman: hi\n\nAssistant: b");
  const Row written = only_row(chat + R"(}, "responses": {"answer": [{"value": "ho", "user_id": "u"}]}})");
  EXPECT_EQ(written.completions[0].messages, (std::vector<Message>{{"assistant", "ho"}}));
  const Row asked =
      only_row(R"({"fields": {"prompt": "p", "response": [{"role": "assistant", "content": "c"}]}, )"
               R"("responses": {"kind": [{"value": 3, "user_id": "u"}]}})");
  EXPECT_EQ(asked.prompt.messages, (std::vector<Message>{{"user", "p"}}));
}

TEST_F(Argilla, TextsWithoutAPromptAreJudgedAlone) {
  const Row text =
      only_row(R"({"fields": {"text": "t"}, "responses": {"label": [{"value": "no", "user_id": "u"}]}})");
  EXPECT_EQ(text.label, false);
  EXPECT_FALSE(text.has_prompt);
  const Row pair = only_row(R"({"fields": {"text1": "a b", "text2": "a c"}, )"
                            R"("responses": {"best": [{"value": "text2", "user_id": "u"}]}})");
  EXPECT_FALSE(pair.has_prompt);  // what they share is theirs
  EXPECT_EQ(texts(pair), (std::vector<std::string>{"a b", "a c"}));
  EXPECT_EQ(pair.ranks, (Ranks{2, 1}));
}

}  // namespace
}  // namespace keel
