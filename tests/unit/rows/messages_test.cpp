#include "keel/rows/messages.h"

#include "reading.h"

namespace keel {
namespace {

using Messages = std::vector<Message>;
const std::string kHi = R"({"role": "user", "content": "hi"})";
const std::string kHello = R"({"role": "assistant", "content": "hello"})";
const std::string kGo = R"({"role": "assistant", "content": "go"})";

class MessageRows : public RowReading {};

TEST_F(MessageRows, APreferenceHasItsPlainTextAsHhWritesIt) {
  const Row row = only_row(R"({"prompt": [{"role": "system", "content": "Be kind."}, )" + kHi +
                           R"(], "chosen": [)" + kHello + R"(], "rejected": [)" + kGo + "]}");
  EXPECT_EQ(row.kind, RowKind::preference);
  EXPECT_EQ(row.prompt.text, "\n\nSystem: Be kind.\n\nHuman: hi\n\nAssistant:");
  EXPECT_EQ(texts(row), (std::vector<std::string>{" hello", " go"}));
  EXPECT_EQ(row.prompt.messages, (Messages{{"system", "Be kind."}, {"user", "hi"}}));
  EXPECT_EQ(row.completions[1].messages, (Messages{{"assistant", "go"}}));
}

TEST_F(MessageRows, TheHeaderStaysWithCompletionsThatAnotherRoleBegins) {
  const Row row = only_row(R"({"prompt": [)" + kHi + R"(], "chosen": [)" + kHello +
                           R"(], "rejected": [{"role": "tool", "content": "7"}, )" + kGo + "]}");
  EXPECT_EQ(row.prompt.text, "\n\nHuman: hi");
  EXPECT_EQ(texts(row), (std::vector<std::string>{"\n\nAssistant: hello", "\n\nTool: 7\n\nAssistant: go"}));
}

TEST_F(MessageRows, WholeConversationsShareTheirPrompt) {
  for (const RowFormat format : {RowFormat::automatic, RowFormat::trl, RowFormat::keel}) {
    const Row row =
        only_row(R"({"chosen": [)" + kHi + ", " + kHello + ", " + kHi + ", " + kGo + R"(], "rejected": [)" +
                     kHi + ", " + kHello + ", " + kHi + ", " + kHello + "]}",
                 format);
    EXPECT_EQ(row.prompt.messages.size(), 3u);
    EXPECT_EQ(row.prompt.text, "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: hi\n\nAssistant:");
    EXPECT_EQ(texts(row), (std::vector<std::string>{" go", " hello"}));
  }
  const Row longer = only_row(R"({"chosen": [)" + kHi + ", " + kHello + R"(], "rejected": [)" + kHi + "]}");
  EXPECT_FALSE(longer.has_prompt);  // the shorter one keeps its last message
  EXPECT_EQ(longer.prompt, Passage{});
}

TEST_F(MessageRows, APromptBesideConversationsMustBeAmongTheirMessages) {
  const std::string sides =
      R"("chosen": [)" + kHi + ", " + kHello + R"(], "rejected": [)" + kHi + ", " + kGo + "]}";
  const Row row = only_row(R"({"prompt": "hi", )" + sides);
  EXPECT_EQ(row.prompt.messages, (Messages{{"user", "hi"}}));
  EXPECT_TRUE(row.extra.empty());
  EXPECT_EQ(left_out(R"({"prompt": "ho", )" + sides),
            "prompt is none of the messages that both sides begin with");
  EXPECT_TRUE(only_row(R"({"prompt": "", )" + sides).has_prompt);
}

TEST_F(MessageRows, AConversationEndsWithWhatIsJudged) {
  const Row label = only_row(R"({"messages": [)" + kHi + ", " + kHello + R"(], "label": true})");
  EXPECT_EQ(label.kind, RowKind::label);
  EXPECT_EQ(label.prompt.text, "\n\nHuman: hi\n\nAssistant:");
  EXPECT_EQ(texts(label), (std::vector<std::string>{" hello"}));
  const Row demonstration = only_row(R"({"messages": [)" + kHi + ", " + kHello + "]}");
  EXPECT_EQ(demonstration.kind, RowKind::completion);
  const Row prompt = only_row(R"({"messages": [)" + kHi + "]}");
  EXPECT_EQ(prompt.kind, RowKind::prompt);
  EXPECT_EQ(prompt.prompt.text, "\n\nHuman: hi\n\nAssistant:");
  const Row alone = only_row(R"({"messages": [)" + kHello + R"(], "ratings": {"kind": 3}})");
  EXPECT_FALSE(alone.has_prompt);
  EXPECT_EQ(texts(alone), (std::vector<std::string>{"\n\nAssistant: hello"}));
  EXPECT_HAS(error(R"({"messages": [)" + kHi + R"(], "label": true})"),
             "expected the assistant's message at the end");
}

TEST_F(MessageRows, MessagesBesideOtherFieldsRepeatThem) {
  const Row row = only_row(R"({"prompt": "p", "completion": "c", "messages": [)" + kHi + "]}");
  EXPECT_EQ(row.prompt.text, "p");
  EXPECT_EQ(row.extra["messages"].size(), 1u);
}

TEST_F(MessageRows, PromptsDemonstrationsRankingsAndIds) {
  const Row prompt = only_row(R"({"prompt": [)" + kHi + ", " + kHello + "]}");
  EXPECT_EQ(prompt.prompt.text, "\n\nHuman: hi\n\nAssistant: hello");  // to be gone on with
  const Row demonstration = only_row(R"({"prompt": [)" + kHi + R"(], "completion": [)" + kHello + "]}");
  EXPECT_EQ(demonstration.prompt.text + texts(demonstration)[0], "\n\nHuman: hi\n\nAssistant: hello");
  const Row ranking = only_row(R"({"prompt": [)" + kHi + R"(], "completions": [[)" + kHello + "], [" + kGo +
                               R"(]], "ranks": [2, 1]})");
  EXPECT_EQ(texts(ranking), (std::vector<std::string>{" hello", " go"}));
  const Row ids =
      only_row(R"({"prompt_ids": [4], "completion": [)" + kHello + R"(], "completion_ids": [5]})");
  EXPECT_EQ(ids.completions[0].ids, (std::vector<int64_t>{5}));
  EXPECT_EQ(ids.completions[0].text, "\n\nAssistant: hello");
}

TEST_F(MessageRows, MistakesNameTheirField) {
  const auto of = [&](const std::string& message) { return error(R"({"prompt": [)" + message + "]}"); };
  EXPECT_EQ(of(R"({"role": "human", "content": "a"})"),
            "data.jsonl:1] expected system, user, assistant or tool for `prompt.role`, got \"human\"");
  EXPECT_EQ(of(R"({"content": "a"})"), "data.jsonl:1] expected text for `prompt.role`, got null");
  EXPECT_EQ(of(R"({"role": "user", "content": [{"type": "text"}]})"),
            "data.jsonl:1] expected text for `prompt.content`, got array [{\"type\":\"text\"}]");
  EXPECT_EQ(of(R"({"role": "assistant", "content": "", "tool_calls": [1]})"),
            "data.jsonl:1] expected `role` and `content` in a message of `prompt`, got \"tool_calls\", too");
  EXPECT_EQ(of(kHi + ", 7"), "data.jsonl:1] expected an object for `prompt`, got number 7");
  EXPECT_TRUE(only_row(R"({"prompt": [{"role": "user", "content": "", "name": null}]})").has_prompt);
  EXPECT_HAS(error(R"({"prompt": []})"), "expected text for `prompt`, got array []");
  EXPECT_HAS(error(R"({"text": [)" + kHi + "]}"), "expected text for `text`");
  EXPECT_HAS(error(R"({"messages": []})"), "expected at least one message");
}

TEST_F(MessageRows, TextsAndMessagesDoNotMeetInARow) {
  for (const std::string& row :
       {R"({"prompt": "p", "completion": [)" + kHello + "]}",
        R"({"prompt": [)" + kHi + R"(], "completion": "c"})",
        R"({"prompt": [)" + kHi + R"(], "chosen": [)" + kHello + R"(], "rejected": "c"})"})
    EXPECT_HAS(error(row), "expected messages in all texts of a row or in none");
}

}  // namespace
}  // namespace keel
