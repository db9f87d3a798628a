// Hostile files: whatever they hold, the answer is rows or one line that says what is wrong, and soon.
#include "keel/rows/records.h"

#include <zlib.h>

#include <fstream>

#include "keel/base/error.h"
#include "reading.h"

namespace keel {
namespace {

class Records : public RowReading {};

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

TEST_F(Records, DeepNestingIsRefusedInEveryFormat) {
  const std::string deep = repeated("[", 100000) + repeated("]", 100000);
  const std::string expected = "data.jsonl:1] expected JSON nested at most 64 deep, got more";
  EXPECT_EQ(error(R"({"fields": {"text": "t"}, "responses": )" + deep + "}"), expected);
  EXPECT_EQ(error(R"({"data": {"text": "t"}, "annotations": )" + deep + "}"), expected);
  EXPECT_EQ(error(R"({"prompt": "p", "completions": )" + deep + R"(, "ranks": [1]})"), expected);
  EXPECT_EQ(error(repeated(R"({"a":)", 100000)), expected);
}

TEST_F(Records, HugeListsAreReadOrRefusedSoon) {
  const std::string completions = repeated("\"c\", ", 5000) + "\"d\"", ranks = repeated("1, ", 5000) + "2";
  EXPECT_EQ(error(R"({"prompt": "p", "completions": [)" + completions + R"(], "ranks": [)" + ranks + "]}"),
            "data.jsonl:1] expected at most 1024 `completions`, got 5001");
  const std::string turns = repeated(R"({"role": "user", "content": "u"}, )", 50000);
  EXPECT_EQ(only_row(R"({"messages": [)" + turns + R"({"role": "assistant", "content": "a"}], "label": 1})")
                .prompt.messages.size(),
            50000u);
  EXPECT_EQ(read("{\"text\": \"" + repeated("x", 5000000) + "\"}").rows.size(), 1u);
  EXPECT_HAS(
      error(R"({"prompt": "p", "completions": ["a", "b"], "ranks": [)" + repeated("1, ", 500000) + "1]}"),
      "expected a rank for each of the 2 completions, got 500001");
}

TEST_F(Records, ObjectsOfTooManyFieldsAreRefused) {
  std::string many;
  for (int i = 0; i < 200000; ++i) many += "\"f" + std::to_string(i) + "\": 0, ";
  EXPECT_EQ(error("{" + many + R"("text": "t"})"),
            "data.jsonl:1] expected an object of at most 4096 fields, got more");
  EXPECT_EQ(error(R"({"text": "t", "x": [{)" + many + R"("y": 1}]})"),
            "data.jsonl:1] expected an object of at most 4096 fields, got more");
}

TEST_F(Records, AFieldTwiceIsRefused) {
  EXPECT_EQ(error(R"({"prompt": "p", "chosen": "a", "rejected": "b", "chosen": "c"})"),
            "data.jsonl:1] expected each field once, got \"chosen\" twice");
  EXPECT_EQ(error(R"({"prompt": "p", "chosen": "a", "rejected": "b", "\u0063hosen": "c"})"),
            "data.jsonl:1] expected each field once, got \"chosen\" twice");
  EXPECT_HAS(error(R"({"text": "t", "x": {"y": [{"z": 1, "z": 1}]}})"), "got \"z\" twice");
  EXPECT_EQ(read(R"({"text": "t", "x": {"y": {"y": 1}}, "y": [{"y": 1}, {"y": 2}]})").rows.size(), 1u);
}

TEST_F(Records, BytesThatAreNoTextAreRefused) {
  EXPECT_HAS(error("{\"text\": \"\xff\"}"), "data.jsonl:1] expected JSON");
  EXPECT_HAS(error("{\"text\": \"\xed\xa0\x80\"}"), "data.jsonl:1] expected JSON");
  EXPECT_HAS(error(R"({"text": "\ud800"})"), "data.jsonl:1] expected JSON");
  EXPECT_HAS(error(std::string("{\"text\": \"a\0b\"}", 15)), "data.jsonl:1] expected JSON");
  EXPECT_EQ(error("text,x\na,b\nc,\xe9\n", RowFormat::automatic, "data.csv"),
            "data.csv:3] expected UTF-8, got other bytes in \"\xef\xbf\xbd\": save the table as UTF-8");
  EXPECT_HAS(error("text,\xe9\n", RowFormat::automatic, "data.csv"), "data.csv:1] expected UTF-8");
}

TEST_F(Records, AnEscapedNulIsACharacter) {
  const Row row = only_row(R"({"prompt": "a\u0000b", "completion": "\u0000"})");
  EXPECT_EQ(row.prompt.text, std::string("a\0b", 3));
  EXPECT_EQ(row.completions[0].text, std::string("\0", 1));
}

TEST_F(Records, ATruncatedGzipIsSaid) {
  const std::filesystem::path path = folder_ / "data.jsonl.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  for (int i = 0; i < 2000; ++i)
    gzputs(file, ("{\"text\": \"row " + std::to_string(i * 7919) + "\"}\n").c_str());
  gzclose(file);
  ASSERT_EQ(read_rows(path).rows.size(), 2000u);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_HAS(message_of([&] { read_rows(path); }), "data.jsonl.gz] expected more bytes, got a truncated");
}

TEST_F(Records, WrongTypesAreErrorsInEveryFormat) {
  const char* rows[] = {
      R"({"data": {"prompt": "p", "answer1": "a", "answer2": "b"}, "annotations": 1})",
      R"({"data": {"prompt": "p", "answer1": "a", "answer2": "b"}, "annotations": [1]})",
      R"({"data": {"prompt": "p"}, "annotations": [{"result": 1}]})",
      R"({"data": {"prompt": "p"}, "annotations": [{"result": [[]]}]})",
      R"({"data": {"prompt": "p"}, "annotations": [{"result": [{"type": 1}]}]})",
      R"({"data": {"prompt": "p"}, "annotations": [{"result": [{"type": "rating", "from_name": "r", "value": 1}]}]})",
      R"({"data": {"response": "p"}, "annotations": [{"result": [{"type": "rating", "from_name": "r", "value": {}}]}]})",
      R"({"data": {"response": "p"}, "annotations": [{"result": [{"type": "choices", "from_name": "r", "value": {"choices": "Yes"}}]}]})",
      R"({"data": {"items": [{"id": "a", "body": "b"}]}, "annotations": [{"result": [{"type": "ranker", "from_name": "r", "value": {"ranker": [1]}}]}]})",
      R"({"data": {"prompt": "p"}, "annotations": [{"result": [{"type": "textarea", "from_name": "r", "value": {"text": {}}}]}]})",
      R"({"fields": {"response": "p"}, "responses": [1]})",
      R"({"fields": {"response": "p"}, "responses": [{"values": 1}]})",
      R"({"fields": {"response": "p"}, "responses": {"q": 1}})",
      R"({"fields": {"response": "p"}, "responses": {"q": [1]}})",
      R"({"fields": {"response1": "p"}, "responses": {"q": [{"value": [{"value": "response1", "rank": "x"}]}]}})",
      R"({"fields": {"response": "p"}, "suggestions": [{"value": 1}]})",
      R"({"question": 1, "prediction 1": "a", "preference": []})",
      R"({"question": "q", "passages": ["a"], "prediction 1": "a", "preference": []})",
      R"({"question": "q", "passages": [], "prediction 1": "a", "preference": []})",
      R"({"prompt": 1, "candidates": [{"model": "a", "response": "b"}]})",
      R"({"prompt": "p", "candidates": {"model": "a"}})",
      R"({"prompt": "p", "responses": 1, "gpt4_preference_over_ref": []})",
  };
  for (const char* row : rows) {
    const std::string message = message_of([&] { read(row); });
    if (message.empty()) {
      EXPECT_EQ(read(row).rows.size(), 0u) << row;
    } else {
      EXPECT_HAS(message, "data.jsonl:1] expected ") << row;
      EXPECT_EQ(message.find('\n'), message.npos) << message;
    }
  }
}

// Damaged at random places, real shapes give rows, refusals or one line.
TEST_F(Records, DamageNeverGoesUnsaid) {
  std::ifstream file("tests/golden/rows/argilla_2.json");
  const std::string whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  ASSERT_GT(whole.size(), 1000u);
  const std::string pieces[] = {"null", "[]", "{}", "\"\"", "-1", "1e400", "\"\\u0000\"", "true", ",", "]"};
  for (size_t i = 0; i < 500; ++i) {
    std::string damaged = whole;
    const size_t place = (i * 7919) % whole.size();
    damaged.replace(place, i % 13, pieces[i % std::size(pieces)]);
    try {
      read(damaged, RowFormat::argilla, "data.json");
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace keel
