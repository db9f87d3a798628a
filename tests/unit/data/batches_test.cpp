#include "keel/data/batches.h"

#include <gtest/gtest.h>

namespace keel {
namespace {

std::vector<int64_t> rows_of(const Example& example, std::optional<int64_t> pad) {
  const Example* const pointer = &example;
  const JudgedBatch batch = judged_batch({&pointer, 1}, pad);
  const int64_t* rows = batch.last_rows.const_data_ptr<int64_t>();
  return {rows, rows + batch.last_rows.numel()};
}

Example example_of(std::vector<int64_t> prompt, std::vector<std::vector<int64_t>> completions) {
  Example example;
  example.prompt = std::move(prompt);
  example.completions = std::move(completions);
  return example;
}

// Rows: the prompt 0..2, the completions 3..5, 6..7 and 8.
TEST(JudgedBatch, ATextIsReadAtItsLastTokenThatPadsNothing) {
  const Example example = example_of({1, 5, 6}, {{7, 2, 2}, {2, 7}, {2}});
  EXPECT_EQ(rows_of(example, std::nullopt), (std::vector<int64_t>{5, 7, 8}));
  EXPECT_EQ(rows_of(example, 9), (std::vector<int64_t>{5, 7, 8}));
  EXPECT_EQ(rows_of(example, 2), (std::vector<int64_t>{3, 7, 2}));  // the third one is read in its prompt
}

TEST(JudgedBatch, ATextOfPaddingAloneIsReadAtItsFirstToken) {
  EXPECT_EQ(rows_of(example_of({2, 2}, {{2, 2}}), 2), (std::vector<int64_t>{0}));
  EXPECT_EQ(rows_of(example_of({}, {{2, 2}}), 2), (std::vector<int64_t>{0}));
  EXPECT_EQ(rows_of(example_of({2, 5, 2}, {{2}}), 2), (std::vector<int64_t>{1}));
}

std::vector<int64_t> values_of(const Tensor& tensor) {
  return {tensor.const_data_ptr<int64_t>(), tensor.const_data_ptr<int64_t>() + tensor.numel()};
}

// Rows: the prompt 0..1 and its completions 2..3 and 4; then, without a prompt, 5..7 and 8.
TEST(CompletionBatch, EveryTokenIsPredictedFromTheRowBeforeIt) {
  const Example below = example_of({1, 5}, {{7, 2}, {8}}), alone = example_of({}, {{3, 4, 2}, {6}});
  const std::vector<const Example*> examples = {&below, &alone};
  const CompletionBatch batch = completion_batch(examples);
  EXPECT_EQ(values_of(batch.tokens), (std::vector<int64_t>{7, 2, 8, 4, 2}));
  EXPECT_EQ(values_of(batch.from), (std::vector<int64_t>{1, 2, 1, 5, 6}));
  EXPECT_EQ(values_of(batch.completion), (std::vector<int64_t>{0, 0, 1, 2, 2}));
  EXPECT_EQ(values_of(batch.last_rows), (std::vector<int64_t>{3, 4, 7, 8}));
}

}  // namespace
}  // namespace keel
