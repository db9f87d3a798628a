#include "keel/tokenizer/split_pattern.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/tokenizer/normalizer.h"
#include "keel/tokenizer/unicode.h"
#include "tokenizer/tokenizer_files.h"

namespace keel {
namespace {

using namespace tokenizer_tests;

SplitPattern pattern_of(const std::string& kind, const std::string& text) {
  const TokenizerJson owner = {{"pattern", {{kind, text}}}};
  return SplitPattern(Component(owner, "file"));
}

std::vector<std::string> matches(const std::string& expression, const std::string& text) {
  std::vector<std::string> found;
  for (const SplitPart& part : pattern_of("Regex", expression).parts(text))
    if (part.match) found.push_back(text.substr(part.begin, part.end - part.begin));
  return found;
}

std::vector<std::string> all_characters() {
  std::vector<std::string> characters;
  for (char32_t point = 0; point < 0x110000; ++point)
    if (point < 0xD800 || point > 0xDFFF) append_utf8(characters.emplace_back(), point);
  return characters;
}

// The classes of every code point, Oniguruma's Unicode 16 against what Keel makes PCRE2 match.
TEST(SplitPattern, ClassesHoldTheCharactersThatTheLibraryMatches) {
  const Json golden = read_json(kGolden / "unicode.json");
  std::string text;
  for (const std::string& character : all_characters()) text += character;
  for (const auto& [expression, hash] : golden.at("classes").items()) {
    std::string matched;
    for (const std::string& match : matches(expression, text)) matched += match;
    EXPECT_EQ(sha256(matched), hash.get<std::string>()) << expression;
  }
}

// Each character alone and between others that it may move across or join.
TEST(TextNormalizer, FormsOfEveryCharacterAreTheLibrarys) {
  const std::pair<const char*, const char*> neighbours[] = {
      {"", ""}, {"e", "\u0323\u0301"}, {"a\u0301", "\u0323"}, {"\u1100", "\u11a8"}, {"\U00011935", ""}};
  const Json golden = read_json(kGolden / "unicode.json");
  ASSERT_EQ(golden.at("forms").size(), 4u);
  const std::vector<std::string> characters = all_characters();
  for (const auto& [name, hash] : golden.at("forms").items()) {
    const TokenizerJson description = {{"type", name}};
    const TextNormalizer form(Component(description, "file"));
    std::string forms, block;  // in blocks for speed: nothing moves across a line end
    for (const std::string& character : characters) {
      for (const auto& [before, after] : neighbours) block += before + character + after + "\n";
      if (block.size() < 10'000 && &character != &characters.back()) continue;
      forms += form(block, true);
      block.clear();
    }
    EXPECT_EQ(sha256(forms), hash.get<std::string>()) << name;
  }
}

TEST(SplitPattern, ReadsOnigurumasSyntax) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(matches(R"(\p{N}{,2}x)", "123x x"), (Texts{"23x", "x"}));
  EXPECT_EQ(matches(R"(a\vb)",
                    "a\x0b"
                    "b a\nb"),
            (Texts{"a\x0b"
                   "b"}));
  EXPECT_EQ(matches(R"([\s]+|\x41|\u00e9|\x{1F680})", "A \u00a0é🚀z"), (Texts{"A", " \u00a0", "é", "🚀"}));
  EXPECT_EQ(matches("^b$", "a\nb\nc"), (Texts{"b"}));
  EXPECT_EQ(matches(R"((?i:'S)(?!x)(?<=s))", "'s 'S 'sx"), (Texts{"'s"}));
  EXPECT_EQ(matches(R"(\d\D)", "1a २x"), (Texts{"1a", "२x"}));
  EXPECT_EQ(matches(R"([\]\-\[a]+\.)", "]-[a. a"), (Texts{"]-[a."}));
}

// An empty match counts, but not directly behind another match.
TEST(SplitPattern, EmptyMatchesAreTakenAsTheLibraryTakesThem) {
  EXPECT_EQ(pattern_of("Regex", "x*").replace("axxéb", "-"), "-a-é-b-");
  EXPECT_EQ(pattern_of("Regex", "(?=é)").replace("éaé", "-"), "-éa-é");
  EXPECT_EQ(pattern_of("String", "aa").replace("aaaaa", "b"), "bba");
}

TEST(SplitPattern, RefusesWhatTheEnginesReadDifferently) {
  for (const char* expression :
       {R"(\w+)",           R"(\bx)",     R"(\h)",      R"(a{1,2}+)", "(?m:a.)", "(?<n>a)",
        "[[:alpha:]]",      "[a&&b]",     R"(\p{Han})", R"(\p{^L})",  R"(\p{})", R"(\p)",
        R"(\pL)",           R"([\P{L}])", "(*FAIL)",    "a{",         "[]a]",    R"(\)",
        R"(\x{110000000})", R"(\xZZ)",    R"((a)\1)",   R"(\K)",      "(?i)a"}) {
    try {
      pattern_of("Regex", expression);
      ADD_FAILURE() << expression << " was taken";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("[file: pattern] expected a pattern of plain constructs, got"),
                std::string::npos)
          << error.what();
    }
  }
}

TEST(SplitPattern, RefusesMistakesInOneLine) {
  for (const char* expression : {"(a", "a)", "[a", "*", "(?<=a+)b", R"(\x{d800})", "a{3,1}"}) {
    try {
      pattern_of("Regex", expression);
      ADD_FAILURE() << expression << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      EXPECT_NE(std::string(error.what()).find("mistake"), std::string::npos) << error.what();
    }
  }
}

TEST(SplitPattern, CatastrophicPatternsEndWithAnError) {
  const std::string text(60, 'a');
  for (const char* expression : {"(?:a+)+b", "(?:a|a)*b", "(?:a?a?)*b"})
    EXPECT_THROW(pattern_of("Regex", expression).parts(text + "cb"), Error) << expression;
}

// More backtracking points than the JIT's stack holds: the interpreter goes on.
TEST(SplitPattern, LongMatchesLeaveTheJitStack) {
  const SplitPattern deep = pattern_of("Regex", "(?:(?:a|b)c?)+$");
  EXPECT_EQ(deep.parts(std::string(50'000, 'a')).size(), 1u);
}

}  // namespace
}  // namespace keel
