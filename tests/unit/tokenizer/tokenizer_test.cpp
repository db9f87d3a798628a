// Ids and texts against the `tokenizers` library, on lines and tokenizers of tests/golden/make_tokenizers.py.
#include "keel/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <thread>

#include "keel/base/error.h"
#include "keel/tokenizer/unicode.h"
#include "tokenizer/tokenizer_files.h"

namespace keel {
namespace {

using namespace tokenizer_tests;

using Ids = std::vector<int64_t>;

Ids joined(const Ids& a, const Ids& b, const Ids& c) {
  Ids all = a;
  all.insert(all.end(), b.begin(), b.end());
  all.insert(all.end(), c.begin(), c.end());
  return all;
}

// One golden file, row by row. Stops at the tenth difference: the rest says no more.
class GoldenCheck {
 public:
  GoldenCheck(const Tokenizer& tokenizer, const std::string& name) : tokenizer_(tokenizer), name_(name) {}

  void run() {
    const std::vector<std::string> lines = golden_lines();
    for_each_line(kGolden / (name_ + ".jsonl.gz"), [&](std::string_view text, int64_t number) {
      if (testing::Test::HasFailure()) return;
      SCOPED_TRACE(name_ + " row " + std::to_string(number));
      const Json row = parse_json(text, name_);
      const auto index = static_cast<size_t>(number) - 2;
      if (number == 1)
        header(row);
      else if (row.is_array())
        line(lines.at(index), row);
      else
        decoded(row);
    });
    EXPECT_GE(lines_, 2000);
    EXPECT_EQ(lines_, static_cast<int>(lines.size()));
  }

 private:
  void header(const Json& row) {
    before_ = row.at("before").get<Ids>();
    after_ = row.at("after").get<Ids>();
    EXPECT_EQ(tokenizer_.size(), row.at("size").get<int64_t>());
  }

  void line(const std::string& text, const Json& row) {
    ++lines_;
    const Ids ids = row.at(0).get<Ids>();
    const Ids whole = joined(before_, ids, after_);
    EXPECT_EQ(tokenizer_.encode(text, false), ids) << text;
    EXPECT_EQ(tokenizer_.encode(text), whole) << text;
    EXPECT_EQ(tokenizer_.encode_completion(text), row.at(1).is_null() ? ids : row.at(1).get<Ids>()) << text;
    const std::string skipped = row.at(2).is_null() ? repair_utf8(text) : row.at(2).get<std::string>();
    const std::string kept = row.at(3).is_null() ? skipped : row.at(3).get<std::string>();
    EXPECT_EQ(tokenizer_.decode(whole), skipped);
    EXPECT_EQ(tokenizer_.decode(whole, false), kept);
  }

  void decoded(const Json& row) {
    const Ids ids = row.at("ids").get<Ids>();
    EXPECT_EQ(tokenizer_.decode(ids), row.at("text").get<std::string>());
    EXPECT_EQ(tokenizer_.decode(ids, false), row.at("kept").get<std::string>());
  }

  const Tokenizer& tokenizer_;
  std::string name_;
  Ids before_, after_;
  int lines_ = 0;
};

void check_committed(const std::string& name) {
  GoldenCheck(Tokenizer::load(kGolden / name), name).run();
}

TEST(Tokenizer, Llama3PatternEqualsTheLibrary) {
  check_committed("llama3");
}
TEST(Tokenizer, ByteFallbackEqualsTheLibrary) {
  check_committed("byte_fallback");
}
TEST(Tokenizer, EveryOptionOfTheComponentsEqualsTheLibrary) {
  check_committed("oddities");
}

void check_real(const std::string& name, const std::string& folder) {
  if (!std::filesystem::exists(test_data(folder))) GTEST_SKIP() << "no " << test_data(folder);
  const TemporaryFolder unpacked;
  unpacked.unpack(test_data(folder));
  GoldenCheck(Tokenizer::load(unpacked.path()), name).run();
}

TEST(Tokenizer, TinyStoriesEqualsTheLibrary) {
  check_real("tinystories", "weights-tinystories-656k");
}
TEST(Tokenizer, Gpt2EqualsTheLibrary) {
  check_real("gpt2", "tokenizers/gpt2");
}
TEST(Tokenizer, SmolLm2EqualsTheLibrary) {
  check_real("smollm2", "tokenizers/smollm2-135m-instruct");
}
TEST(Tokenizer, Qwen2OfVocabularyAndMergesEqualsTransformers) {
  check_real("qwen2", "tokenizers/qwen2");
}

// vocab.json and merges.txt of GPT-2 mean what its tokenizer.json means.
TEST(Tokenizer, Gpt2OfVocabularyAndMergesIsTheSame) {
  if (!std::filesystem::exists(test_data("tokenizers/gpt2")))
    GTEST_SKIP() << "no " << test_data("tokenizers/gpt2");
  const TemporaryFolder unpacked;
  unpacked.unpack(test_data("tokenizers/gpt2"));
  std::filesystem::remove(unpacked.path() / "tokenizer.json");
  GoldenCheck(Tokenizer::load(unpacked.path()), "gpt2").run();
}

std::vector<std::string> ggml_cases(const std::string& path) {
  const std::string text = read_file(path), mark = "\n__ggml_vocab_test__\n";
  std::vector<std::string> cases;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(mark, at), text.size());
    cases.push_back(text.substr(at, end - at));
    at = end + mark.size();
  }
  return cases;
}

void check_ggml(const std::string& name, const std::string& folder) {
  if (!std::filesystem::exists(test_data("tokenizers"))) GTEST_SKIP() << "no " << test_data("tokenizers");
  const TemporaryFolder unpacked;
  unpacked.unpack(test_data(folder));
  const Tokenizer tokenizer = Tokenizer::load(unpacked.path());
  const std::string stem = test_data("tokenizers/ggml-vocab/ggml-vocab-" + name + ".gguf").string();
  const std::vector<std::string> cases = ggml_cases(stem + ".inp");
  std::vector<Ids> expected;
  for_each_line(stem + ".out", [&](std::string_view line, int64_t) {
    std::istringstream numbers{std::string(line)};
    expected.emplace_back(std::istream_iterator<int64_t>(numbers), std::istream_iterator<int64_t>());
  });
  ASSERT_GE(expected.size(), 40u);
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(tokenizer.encode(cases.at(i), false), expected[i]) << name << " case " << i << ": " << cases[i];
}

TEST(Tokenizer, Gpt2EqualsLlamaCppsCases) {
  check_ggml("gpt-2", "tokenizers/gpt2");
}
TEST(Tokenizer, Qwen2EqualsLlamaCppsCases) {
  check_ggml("qwen2", "tokenizers/qwen2");
}

TEST(Tokenizer, SpecialTokensHaveTheirRoles) {
  if (!std::filesystem::exists(test_data("tokenizers"))) GTEST_SKIP() << "no " << test_data("tokenizers");
  const Tokenizer stories = Tokenizer::load(test_data("weights-tinystories-656k"));
  EXPECT_EQ(stories.bos_id(), 1);
  EXPECT_EQ(stories.eos_id(), 2);
  EXPECT_EQ(stories.pad_id(), 0);
  EXPECT_EQ(stories.unk_id(), 0);
  EXPECT_TRUE(stories.is_special(2));
  EXPECT_FALSE(stories.is_special(3));
  EXPECT_FALSE(stories.is_special(-1));
  const TemporaryFolder unpacked;
  unpacked.unpack(test_data("tokenizers/qwen2"));
  const Tokenizer qwen = Tokenizer::load(unpacked.path());
  EXPECT_EQ(qwen.bos_id(), std::nullopt);
  EXPECT_EQ(qwen.eos_id(), 151645);
  EXPECT_EQ(qwen.pad_id(), 151643);
  EXPECT_EQ(qwen.unk_id(), std::nullopt);
  EXPECT_EQ(qwen.size(), 151646);
  EXPECT_EQ(qwen.token_of(151644), "<|im_start|>");
  EXPECT_EQ(qwen.id_of("<|im_start|>"), 151644);
  EXPECT_THROW(qwen.token_of(151646), Error);
}

// As the hub's own GPT-2 folder is: the files name no special token, the model's kind does.
TEST(Tokenizer, SpecialTokensOfTheClassCountWhereFilesAreSilent) {
  const TemporaryFolder folder;
  folder.write("vocab.json", R"({"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3})");
  folder.write("merges.txt", "#version: 0.2\na b\n");
  folder.write("config.json", R"({"model_type": "gpt2"})");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.eos_id(), 3);
  EXPECT_EQ(tokenizer.bos_id(), 3);
  EXPECT_EQ(tokenizer.pad_id(), std::nullopt);
  EXPECT_EQ(tokenizer.encode("ab<|endoftext|>b"), (Ids{2, 3, 1}));
  folder.write("tokenizer_config.json", R"({"bos_token": null, "eos_token": {"content": "a"}})");
  EXPECT_EQ(Tokenizer::load(folder.path()).bos_id(), std::nullopt);
  EXPECT_EQ(Tokenizer::load(folder.path()).eos_id(), 0);
}

TEST(Tokenizer, CompletionAddsItsPartOfTheJointText) {
  const Tokenizer tokenizer = Tokenizer::load(kGolden / "byte_fallback");
  const Ids prompt = tokenizer.encode("bado kiwa");
  const Ids continued(prompt.begin(), prompt.end() - 1);  // without the </s> of the post-processor
  const Ids completion = tokenizer.encode_completion(" lesa ne");
  EXPECT_EQ(tokenizer.decode_completion(continued, completion), " lesa ne");
  EXPECT_EQ(tokenizer.decode_completion(continued, {}), "");
  EXPECT_EQ(tokenizer.decode_completion({}, completion), "lesa ne");
  EXPECT_EQ(tokenizer.decode(joined(continued, completion, {})), "bado kiwa lesa ne");
}

// A prompt may end within a character: its half is no text of its own, so the completion's text is the whole
// of it.
TEST(Tokenizer, CompletionThatEndsACharacterGetsAllOfIt) {
  const Tokenizer tokenizer = Tokenizer::load(kGolden / "llama3");
  const Ids letters = tokenizer.encode("a", false);
  for (const std::string character : {"é", "€", "😀", "\uFFFD"}) {
    Ids bytes;
    for (const char byte : character)
      bytes.push_back(*tokenizer.id_of(byte_character(static_cast<uint8_t>(byte))));
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      const Ids prompt =
          joined(letters, Ids(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut)), {});
      const Ids rest(bytes.begin() + static_cast<std::ptrdiff_t>(cut), bytes.end());
      const std::string expected = character == "\uFFFD" ? "" : character;  // the half looks like the whole
      EXPECT_EQ(tokenizer.decode_completion(prompt, rest), expected) << character << " cut at " << cut;
    }
  }
}

TEST(Tokenizer, SavesItsFilesByteForByte) {
  const TemporaryFolder source, copy;
  source.unpack(kGolden / "llama3");
  source.write("chat_template.jinja", "{{ messages }}");
  source.write("model.safetensors", "not a tokenizer's");
  Tokenizer::load(source.path()).save(copy.path());
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(copy.path())) {
    EXPECT_EQ(read_file(entry.path()), read_file(source.path() / entry.path().filename()));
    ++files;
  }
  EXPECT_EQ(files, 4);
  EXPECT_EQ(Tokenizer::load(copy.path()).encode("wa le 123"),
            Tokenizer::load(source.path()).encode("wa le 123"));
}

TEST(Tokenizer, ThreadsGetTheSameIds) {
  const Tokenizer tokenizer = Tokenizer::load(kGolden / "oddities");
  const std::vector<std::string> lines = golden_lines();
  std::vector<std::vector<Ids>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results)
    threads.emplace_back([&] {
      for (const std::string& line : lines) result.push_back(tokenizer.encode(line));
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, results.front());
  const Tokenizer fresh = Tokenizer::load(kGolden / "oddities");
  for (size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(fresh.encode(lines[i]), results.front()[i]);
}

// A long run without a word boundary is one word: the time must not grow with its square.
TEST(Tokenizer, LongWordsTakeTimeInProportion) {
  const Tokenizer tokenizer = Tokenizer::load(kGolden / "llama3");
  for (const std::string unit : {"a", " ", "ba", "\n", "é", "!", "1"}) {
    std::string text;
    while (text.size() < 400'000) text += unit;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
}

}  // namespace
}  // namespace keel
