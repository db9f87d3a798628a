#include "keel/rows/samples.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "temporary_folder.h"

namespace keel {
namespace {

TEST(Samples, GathersThoseOfAPromptInTheirOrder) {
  const TemporaryFolder folder;
  const auto file = folder / "samples.jsonl";
  write_file_atomically(
      file,
      R"({"prompt":"a","prompt_ids":[1],"completion":" b","tokens":[5,2],"logps":[-1,-0.5],"finish_reason":"stop"})"
      "\n"
      R"({"prompt":"a","prompt_ids":[1],"completion":"","tokens":[2],"logps":[-3],"finish_reason":"stop"})"
      "\n"
      R"({"prompt":"c","prompt_ids":[3],"completion":" d","tokens":[6],"logps":[-2],"finish_reason":"length"})"
      "\n");
  const std::vector<SampledPrompt> prompts = read_samples(file);
  ASSERT_EQ(prompts.size(), 2u);
  ASSERT_EQ(prompts[0].answers.size(), 2u);
  EXPECT_EQ(prompts[0].answers[0].text, " b");
  EXPECT_EQ(prompts[0].answers[0].ids, (std::vector<int64_t>{5, 2}));
  EXPECT_EQ(prompts[0].answers[0].logps, (std::vector<double>{-1, -0.5}));
  EXPECT_EQ(prompts[0].answers[1].text, "");
  EXPECT_EQ(prompts[0].answers[1].ids, (std::vector<int64_t>{2}));
  EXPECT_TRUE(prompts[0].answers[1].finished);
  EXPECT_EQ(prompts[1].prompt, "c");
  EXPECT_FALSE(prompts[1].answers[0].finished);
}

TEST(Samples, RefusesOtherRowsByTheirLine) {
  const TemporaryFolder folder;
  const auto file = folder / "rows.jsonl";
  write_file_atomically(file, "{\"prompt\":\"a\",\"completion\":\" b\"}\n");
  try {
    read_samples(file);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("rows.jsonl:1"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace keel
