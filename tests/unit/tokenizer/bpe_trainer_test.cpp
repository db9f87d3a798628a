// The trainer against BpeTrainer of the `tokenizers` library (tests/golden/make_tokenizers.py) and against a
// published reference of byte-level BPE training.
#include "keel/tokenizer/bpe_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "keel/base/error.h"
#include "keel/tokenizer/component.h"
#include "keel/tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_files.h"

namespace keel {
namespace {

using namespace tokenizer_tests;

using Merges = std::vector<std::pair<std::string, std::string>>;

TokenizerJson parsed(const std::filesystem::path& path) {
  return TokenizerJson::parse(read_file(path));
}

Merges trained_merges(const std::vector<std::string>& texts, const BpeTrainerOptions& options) {
  const TemporaryFolder folder;
  train_byte_level_bpe(texts, options, folder.path());
  return parsed(folder.path() / "tokenizer.json").at("model").at("merges").get<Merges>();
}

TEST(BpeTrainer, LearnsTheMergesOfTheLibrary) {
  int cases = 0;
  for_each_line(kGolden / "trainer.jsonl.gz", [&](std::string_view text, int64_t) {
    const TokenizerJson row = TokenizerJson::parse(text);
    std::vector<std::string> texts = golden_lines();
    BpeTrainerOptions options;
    options.special_tokens = {"<s>"};
    if (row.at("texts").is_array()) texts = row.at("texts").get<std::vector<std::string>>();
    if (row.at("texts") == "corpus.en") {
      const auto path = test_data("tokenizers/bpe-train-reference/corpus.en");
      if (!std::filesystem::exists(path)) return;
      texts = {read_file(path)};
      options.special_tokens = {"<|endoftext|>"};
    }
    options.vocabulary_size = row.at("size").get<int64_t>();
    options.min_frequency = row.at("min_frequency").get<int64_t>();
    options.pattern = row.at("pattern").get<std::string>();
    const Merges expected = row.at("merges").get<Merges>();
    EXPECT_GT(expected.size(), 3u);
    EXPECT_EQ(trained_merges(texts, options), expected) << row.at("texts") << " " << options.pattern;
    ++cases;
  });
  EXPECT_GE(cases, 8);
}

// The folder holds what the library and transformers themselves save for the same training, so they load it
// with the same ids (the generator of the golden folder checks that AutoTokenizer does).
TEST(BpeTrainer, WritesTheFolderThatTransformersWrites) {
  const TemporaryFolder folder;
  BpeTrainerOptions options;
  options.vocabulary_size = 1600;
  options.special_tokens = {"<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"};
  options.bos = "<|begin_of_text|>", options.eos = "<|end_of_text|>", options.pad = "<pad>";
  options.pattern = "llama3";
  train_byte_level_bpe(golden_lines(), options, folder.path());
  const auto golden = kGolden / "llama3";
  EXPECT_EQ(parsed(folder.path() / "tokenizer.json"), parsed(golden / "tokenizer.json"));
  EXPECT_EQ(parsed(folder.path() / "special_tokens_map.json"), parsed(golden / "special_tokens_map.json"));
  TokenizerJson config = parsed(golden / "tokenizer_config.json");
  config.erase("model_max_length");  // transformers' mark for "unknown"
  EXPECT_EQ(parsed(folder.path() / "tokenizer_config.json"), config);
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.size(), 1600);
  EXPECT_EQ(tokenizer.bos_id(), 0);
  EXPECT_EQ(tokenizer.eos_id(), 1);
  EXPECT_EQ(tokenizer.pad_id(), 3);
  EXPECT_EQ(tokenizer.encode("").size(), 1u);
}

TEST(BpeTrainer, OrderOfTextsDoesNotMatter) {
  std::vector<std::string> texts = golden_lines();
  BpeTrainerOptions options;
  options.vocabulary_size = 600;
  const Merges merges = trained_merges(texts, options);
  std::reverse(texts.begin(), texts.end());
  EXPECT_EQ(trained_merges(texts, options), merges);
}

// The reference takes, of equally frequent pairs, the one with the greater byte strings, Keel (as the
// library) the one with the smaller ids. So neighbours of equal frequency change places, until such a tie
// decides between "1 2" and "2 4", which changes what can be merged later: the 199th merge here.
TEST(BpeTrainer, AgreesWithAPublishedReferenceUpToTies) {
  const auto data = test_data("tokenizers/bpe-train-reference");
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no " << data;
  Merges reference;
  for_each_line(data / "train-bpe-reference-merges.txt", [&](std::string_view line, int64_t) {
    const size_t space = line.find(' ');
    reference.emplace_back(line.substr(0, space), line.substr(space + 1));
  });
  ASSERT_EQ(reference.size(), 243u);
  BpeTrainerOptions options;
  options.vocabulary_size = 500;
  options.special_tokens = {"<|endoftext|>"};
  const Merges merges = trained_merges({read_file(data / "corpus.en")}, options);
  ASSERT_EQ(merges.size(), reference.size());
  for (std::ptrdiff_t i = 0; i < 198; ++i) {
    const auto place =
        std::find(merges.begin(), merges.end(), reference[static_cast<size_t>(i)]) - merges.begin();
    EXPECT_LE(std::abs(place - i), 2) << reference[static_cast<size_t>(i)].first;
  }
  const std::set<std::pair<std::string, std::string>> ours(merges.begin(), merges.end());
  EXPECT_GE(
      std::count_if(reference.begin(), reference.end(), [&](const auto& m) { return ours.contains(m); }),
      239);
}

TEST(BpeTrainer, StopsWherePairsRunOut) {
  const TemporaryFolder folder;
  BpeTrainerOptions options;
  options.vocabulary_size = 5000;
  options.special_tokens = {"ab"};  // also what a merge makes
  train_byte_level_bpe(std::vector<std::string>{"ab ab abc"}, options, folder.path());
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.id_of("ab"), 0);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(" abc")), " c") << "the special token is cut out and left out";
  EXPECT_EQ(tokenizer.size(), 1 + 256 + 2) << "ab is there already; Ġab and Ġabc";
}

TEST(BpeTrainer, RefusesWhatItCannotDo) {
  const TemporaryFolder folder;
  const auto message = [&](const BpeTrainerOptions& options) -> std::string {
    try {
      train_byte_level_bpe({}, options, folder.path());
    } catch (const UsageError& error) {
      return error.what();
    }
    return "no error";
  };
  BpeTrainerOptions options;
  options.vocabulary_size = 256;
  EXPECT_EQ(message(options), "no error");
  options.eos = "<e>";
  EXPECT_EQ(
      message(options),
      "[tokenizer training] expected a vocabulary of at least 257 (special tokens and 256 bytes), got 256");
  options.vocabulary_size = 300;
  options.pattern = "gpt5";
  EXPECT_EQ(message(options), "[tokenizer training] expected the pattern gpt2 or llama3, got gpt5");
  options.pattern = "gpt2";
  options.special_tokens = {"<x>", "<x>"};
  EXPECT_EQ(message(options), "[tokenizer training] expected different special tokens, got <x> twice");
  options.special_tokens = {"\xFF"};
  EXPECT_NE(message(options).find("expected special tokens of UTF-8"), std::string::npos);
}

}  // namespace
}  // namespace keel
