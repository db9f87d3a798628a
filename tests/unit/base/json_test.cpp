#include "keel/base/json.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"

namespace keel {
namespace {

std::string nested(int depth) {
  return std::string(static_cast<size_t>(depth), '[') + std::string(static_cast<size_t>(depth), ']');
}

// A hundred thousand levels would overflow the stack of the parser, of the copy, or of whoever prints it.
TEST(ParseJson, DeepNestingIsRefusedBeforeParsing) {
  EXPECT_EQ(parse_json(nested(64), "x").size(), 1u);
  for (const int depth : {65, 100'000}) EXPECT_THROW(parse_json(nested(depth), "x"), Error);
  EXPECT_THROW(parse_json(nested(100'000).substr(0, 100'000), "x"), Error);
}

TEST(ParseJson, BracketsWithinTextsAreNoLevels) {
  const std::string text = R"({"a": "\"[[[[)" + std::string(200, '{') + R"(\\", "b": 1})";
  EXPECT_EQ(parse_json(text, "x")["b"], 1);
}

TEST(ParseJson, AMistakeIsNamedByItsLine) {
  try {
    parse_json("{\"a\": 1,\n\"b\"", "x.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("[x.json:2] expected JSON"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace keel
