// Files that no honest program wrote: each is refused with one line that names the file and the component.
#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "keel/base/random.h"
#include "keel/tokenizer/component.h"
#include "keel/tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_files.h"

namespace keel {
namespace {

using namespace tokenizer_tests;

TokenizerJson small_tokenizer() {
  return TokenizerJson::parse(R"({
    "added_tokens": [{"id": 3, "content": "<s>", "special": true}],
    "normalizer": {"type": "Prepend", "prepend": "b"},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [3], "tokens": ["<s>"]}}},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})");
}

// The message that loading this folder ends with, without the folder's name.
std::string refusal(const TemporaryFolder& folder) {
  try {
    Tokenizer::load(folder.path()).encode("ab");
  } catch (const Error& error) {
    std::string message = error.what();
    const std::string name = folder.path().string();
    for (size_t at = message.find(name); at != std::string::npos; at = message.find(name))
      message.erase(at, name.size());
    return message;
  }
  return "taken";
}

// The message for the small tokenizer with the value at `pointer` replaced by `value`.
std::string refusal_of(const std::string& pointer, const std::string& value) {
  TokenizerJson json = small_tokenizer();
  json[TokenizerJson::json_pointer(pointer)] = TokenizerJson::parse(value);
  const TemporaryFolder folder;
  folder.write("tokenizer.json", json.dump());
  return refusal(folder);
}

TEST(HostileTokenizer, TheSmallOneIsFine) {
  EXPECT_EQ(refusal_of("/version", R"("1.0")"), "taken");
}

TEST(HostileTokenizer, UnknownComponentsAreNamedWithWhatIsSupported) {
  EXPECT_EQ(refusal_of("/decoder/type", R"("WordPiece")"),
            "[/tokenizer.json: decoder] expected a type among Sequence, ByteFallback, ByteLevel, Fuse, "
            "Replace, Strip, "
            "got \"WordPiece\": Keel cannot use this tokenizer");
  EXPECT_EQ(
      refusal_of("/pre_tokenizer", R"({"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}]})"),
      "[/tokenizer.json: pre_tokenizer.pretokenizers[0]] expected a type among Sequence, ByteLevel, Digits, "
      "Split, got \"Whitespace\": Keel cannot use this tokenizer");
  EXPECT_EQ(refusal_of("/normalizer/type", R"("Lowercase")"),
            "[/tokenizer.json: normalizer] expected a type among Sequence, NFC, NFD, NFKC, NFKD, Prepend, "
            "Replace, got "
            "\"Lowercase\": Keel cannot use this tokenizer");
  EXPECT_EQ(
      refusal_of("/post_processor/type", R"("BertProcessing")"),
      "[/tokenizer.json: post_processor] expected a type among Sequence, ByteLevel, TemplateProcessing, got "
      "\"BertProcessing\": Keel cannot use this tokenizer");
  EXPECT_EQ(
      refusal_of("/model/type", R"("Unigram")"),
      "[/tokenizer.json: model] expected a type among BPE, got \"Unigram\": Keel cannot use this tokenizer");
}

struct Case {
  const char* pointer;
  const char* value;
  const char* message;  // a part of it
};

TEST(HostileTokenizer, EveryWrongValueIsRefusedInOneLine) {
  const Case cases[] = {
      {"/model/vocab/a", "-1", "[/tokenizer.json: model.vocab] expected an id from 0 to 2147483646"},
      {"/model/vocab/a", "2147483647", "expected an id from 0"},
      {"/model/vocab/a", "18446744073709551615", "expected an id from 0"},
      {"/model/vocab/a", "1e300", "expected an id from 0"},
      {"/model/vocab/a", "0.5", "expected an id from 0"},
      {"/model/vocab/a", "\"0\"", "expected an id from 0"},
      {"/model/vocab/a", "1", "expected an id of its own"},
      {"/model/vocab", "{}", "[/tokenizer.json: model.vocab] expected tokens, got none"},
      {"/model/vocab", "[[\"a\", 0]]", "[/tokenizer.json: model.vocab] expected an object"},
      {"/model/vocab", "null", "expected a member \"vocab\", got none"},
      {"/model/merges", "null", "expected a member \"merges\", got none"},
      {"/model/merges", "{}", "expected a list for \"merges\""},
      {"/model/merges", "[\"a  b\"]", "expected merges of two tokens"},
      {"/model/merges", "[\"ab\"]", "expected merges of two tokens"},
      {"/model/merges", "[[\"a\", \"b\", \"c\"]]", "expected merges of two tokens"},
      {"/model/merges", "[[\"a\", 1]]", "expected merges of two tokens"},
      {"/model/merges", "[7]", "expected merges of two tokens"},
      {"/model/merges", "[\"a c\"]", "and \"c\" is not in it"},
      {"/model/merges", "[\"b a\"]", "and \"ba\" is not in it"},
      {"/model/unk_token", "\"u\"", "expected an \"unk_token\" of the vocabulary, got \"u\""},
      {"/model/dropout", "0.1", "expected no \"dropout\", got 0.1"},
      {"/model/end_of_word_suffix", "\"</w>\"", "expected no \"end_of_word_suffix\""},
      {"/model/byte_fallback", "1", "expected true or false for \"byte_fallback\", got 1"},
      {"/model", "[]", "[/tokenizer.json: model] expected an object, got []"},
      {"/model", "null", "[/tokenizer.json] expected a member \"model\", got none"},
      {"/added_tokens/0/id", "7", "expected the id 3 for the added token \"<s>\", got 7"},
      {"/added_tokens/0/id", "-3", "expected an id from 0"},
      {"/added_tokens/0/id", "99999999999", "expected an id from 0"},
      {"/added_tokens/0/id", "null", "expected a member \"id\", got none"},
      {"/added_tokens/0/content", "\"a\"", "expected the id 0 for the added token \"a\", got 3"},
      {"/added_tokens/0/content", "5", "expected a text for \"content\", got 5"},
      {"/added_tokens/0", "\"<s>\"", "[/tokenizer.json: added_tokens[0]] expected an object"},
      {"/added_tokens", "{}", "expected a list for \"added_tokens\""},
      {"/normalizer", "\"NFC\"", "[/tokenizer.json: normalizer] expected an object"},
      {"/normalizer", "{}", "[/tokenizer.json: normalizer] expected a member \"type\", got none"},
      {"/normalizer", "{\"type\": \"Replace\", \"content\": \"\"}",
       "expected a member \"pattern\", got none"},
      {"/normalizer", R"({"type": "Replace", "content": "", "pattern": {"String": ""}})", "got an empty one"},
      {"/normalizer", R"({"type": "Replace", "content": "", "pattern": {"Regex": "(a"}})",
       "[/tokenizer.json: normalizer.pattern] expected a regular expression"},
      {"/normalizer", R"({"type": "Replace", "content": "", "pattern": {"Regex": "(?:b+)+c$"}})", "taken"},
      {"/pre_tokenizer/use_regex", "\"no\"", "expected true or false for \"use_regex\""},
      {"/pre_tokenizer/add_prefix_space", "null", "expected a member \"add_prefix_space\", got none"},
      {"/pre_tokenizer", R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "Keep"})",
       "[/tokenizer.json: pre_tokenizer] expected a behavior among Contiguous"},
      {"/pre_tokenizer", R"({"type": "Sequence", "pretokenizers": {}})",
       "expected a list for \"pretokenizers\""},
      {"/decoder", R"({"type": "Strip", "content": "ab", "start": 1, "stop": 0})", "expected one character"},
      {"/decoder", R"({"type": "Strip", "content": "a", "start": 1.5, "stop": 0})",
       "expected a whole number"},
      {"/post_processor/single", "[]", "expected the sequence A once in \"single\", got it 0 times"},
      {"/post_processor/single/1/Sequence/id", "\"B\"", "expected only the sequence A"},
      {"/post_processor/special_tokens", "{}", "expected a member \"<s>\", got none"},
      {"/post_processor/special_tokens/<s>/ids", "[4]", "expected ids of tokens, got 4"},
      {"/post_processor/special_tokens/<s>/ids", "[-1]", "expected ids of tokens, got -1"},
      {"/post_processor/special_tokens/<s>/ids", "[\"3\"]", "expected whole numbers in \"ids\""},
  };
  for (const Case& wrong : cases) {
    const std::string message = refusal_of(wrong.pointer, wrong.value);
    EXPECT_NE(message.find(wrong.message), std::string::npos)
        << wrong.pointer << " " << wrong.value << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(HostileTokenizer, NestingWithoutEndIsRefused) {
  std::string nested = R"({"type": "NFC"})";
  for (int depth = 0; depth < 20; ++depth)
    nested = R"({"type": "Sequence", "normalizers": [)" + nested + "]}";
  EXPECT_NE(refusal_of("/normalizer", nested).find("expected at most 8 nested Sequences"), std::string::npos);
  const TemporaryFolder folder;
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  folder.write("tokenizer.json", R"({"model": {"vocab": )" + deep + "}}");
  EXPECT_EQ(refusal(folder), "[/tokenizer.json] expected JSON nested at most 64 deep, got more");
}

TEST(HostileTokenizer, TextsThatGrowWithoutEndAreRefused) {
  std::string steps = R"({"type": "Prepend", "prepend": "a"})";
  for (int step = 0; step < 100; ++step)
    steps += R"(, {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"})";
  EXPECT_EQ(refusal_of("/normalizer", R"({"type": "Sequence", "normalizers": [)" + steps + "]}"),
            "[normalizer] expected a text of about the same size, got one 64 times as long");
}

TEST(HostileTokenizer, MissingAndDamagedFilesAreNamed) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal(folder),
            "[] expected a tokenizer (tokenizer.json, or vocab.json and merges.txt), got none");
  folder.write("vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
  folder.write("merges.txt", "#version: 0.2\na b\nab\n");
  EXPECT_NE(refusal(folder).find("expected GPT2Tokenizer or Qwen2Tokenizer as \"tokenizer_class\""),
            std::string::npos);
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
  EXPECT_EQ(refusal(folder), "[/merges.txt:3] expected two tokens with a space between, got \"ab\"");
  folder.write("merges.txt", "#version: 0.2\na b\n");
  EXPECT_EQ(refusal(folder), "taken");
  folder.write("tokenizer_config.json",
               R"({"tokenizer_class": "GPT2Tokenizer", "added_tokens_decoder": {"x": {}}})");
  EXPECT_EQ(refusal(folder),
            "[/tokenizer_config.json: added_tokens_decoder] expected ids as keys, got \"x\"");
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer", "eos_token": 3})");
  EXPECT_EQ(refusal(folder), "[/tokenizer_config.json: eos_token] expected an object, got 3");
  folder.write("tokenizer_config.json", "[]");
  EXPECT_EQ(refusal(folder), "[/tokenizer_config.json] expected an object, got []");
  folder.write("tokenizer_config.json", "{\n\"a\": tru");
  EXPECT_EQ(refusal(folder), "[/tokenizer_config.json:2] expected JSON, got a mistake at byte 11");
  folder.write("tokenizer.json", std::string("\xFF\xFE\0{", 4));
  EXPECT_EQ(refusal(folder).find('\n'), std::string::npos);
}

// Every prefix of a file and many damaged copies of it: refused or read, but nothing else.
TEST(HostileTokenizer, DamagedBytesNeverCrash) {
  const std::string whole = small_tokenizer().dump();
  const TemporaryFolder folder;
  RandomSequence random({.seed = 11});
  const auto below = [&](size_t bound) {
    return static_cast<size_t>(random.below(static_cast<int64_t>(bound)));
  };
  int refused = 0;
  for (size_t round = 0; round < 1500; ++round) {
    std::string text = whole.substr(0, round < whole.size() ? round : whole.size());
    if (round >= whole.size())
      for (int change = 0; change < 3; ++change)
        text[below(text.size())] = "0123456789-{}[]\",:abn\xC3\\"[below(23)];
    folder.write("tokenizer.json", text);
    const std::string message = refusal(folder);
    refused += message != "taken";
    ASSERT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_GT(refused, 1000);
}

// Merges that make a token out of itself, or the same token in two ways, end.
TEST(HostileTokenizer, AbsurdMergesEnd) {
  TokenizerJson json = small_tokenizer();
  json["normalizer"] = nullptr;
  json["model"]["vocab"] = {{"a", 0}, {"b", 1}, {"", 2}, {"aa", 3}, {"aaa", 4}};
  json["model"]["merges"] = TokenizerJson::parse(
      R"([["", "a"], ["a", ""], ["a", "a"], ["a", "aa"], ["aa", "a"], ["", ""], ["a", "a"]])");
  json["added_tokens"][0]["id"] = 5;
  json["post_processor"] = nullptr;
  const TemporaryFolder folder;
  folder.write("tokenizer.json", json.dump());
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("aaaaaaa")), "aaaaaaa");
}

TEST(HostileTokenizer, IdsWithoutTokensAreLeftOut) {
  const TemporaryFolder folder;
  folder.write("tokenizer.json", small_tokenizer().dump());
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  const std::vector<int64_t> ids = {0, -1, INT64_MAX, INT64_MIN, 4, 2'147'483'648, 1};
  EXPECT_EQ(tokenizer.decode(ids), "ab");
  EXPECT_EQ(tokenizer.size(), 4);
}

}  // namespace
}  // namespace keel
