#include "keel/trainers/memory_plan.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "keel/base/memory.h"

namespace keel {
namespace {

TEST(MemoryPlan, TheLargestMicroBatchIsTheMeanOfThoseNeededOrTheLongestRow) {
  const std::vector<int64_t> rows = {10, 20, 30, 40};
  EXPECT_EQ(largest_micro_batch(rows, {}), 100);
  EXPECT_EQ(largest_micro_batch(rows, {.rows = 2}), 50);
  EXPECT_EQ(largest_micro_batch(rows, {.rows = 3}), 50);
  EXPECT_EQ(largest_micro_batch(rows, {.tokens = 34}), 40);
  EXPECT_EQ(largest_micro_batch(rows, {.rows = 4, .tokens = 50}), 50);
  EXPECT_EQ(largest_micro_batch({}, {.rows = 4}), 0);
}

TEST(MemoryPlan, GrowsWithTokensAndIsSmallerWhenBlocksAreComputedAgain) {
  DecoderConfig c;
  c.vocabulary = 50, c.hidden = 16, c.layers = 6, c.heads = 4, c.kv_heads = 2, c.head_size = 4, c.mlp = 40;
  c.max_positions = 32;
  Model model = new_model(family_named("llama", "test"), c, HeadKind::language, 1);
  const int64_t once = pass_bytes(model, {100, 0}), twice = pass_bytes(model, {200, 0}),
                read = pass_bytes(model, {100, 100});
  // Six blocks' activations by token, four bytes each: x, its norm, qkv, attention, and, where a row is read,
  // what lies behind; and once more the inside of one block.
  const int64_t before = 16 + 16 + 32 + 16, behind = 16 + 16 + 80 + 40, back = 2 * 16 + 2 * 16 + 16 + 80 + 40;
  EXPECT_EQ(twice - once, 100 * 4 * (6 * before + 5 * behind + back));
  EXPECT_GT(read - once, 100 * 4 * behind);
  model.recompute = true;
  EXPECT_LT(pass_bytes(model, {200, 0}), twice / 2);
}

TEST(MemoryPlan, WhatDoesNotFitIsRefusedWithAdvice) {
  EXPECT_GE(plan_memory(0), resident_bytes());
  try {
    plan_memory(int64_t{1} << 60);
    FAIL() << "an exabyte was found";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("--micro-batch-size"), std::string::npos) << text;
    EXPECT_NE(text.find("[memory] expected"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace keel
