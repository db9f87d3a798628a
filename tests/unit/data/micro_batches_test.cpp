#include "keel/data/micro_batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "keel/base/random.h"
#include "keel/data/batches.h"
#include "keel/data/episodes.h"

namespace keel {
namespace {

using Pieces = std::vector<std::vector<int64_t>>;

RowShape text(int64_t tokens) {
  return {0, {tokens}};
}

std::vector<RowShape> texts(std::initializer_list<int64_t> sizes) {
  std::vector<RowShape> rows;
  for (const int64_t size : sizes) rows.push_back(text(size));
  return rows;
}

std::vector<int64_t> ids(int64_t count, int64_t first) {
  std::vector<int64_t> tokens(static_cast<size_t>(count), 3);
  tokens.front() = first;
  return tokens;
}

// Episodes of prompts that one to four neighbours share, of random lengths.
std::vector<Episode> random_episodes(uint64_t seed) {
  RandomSequence dice({seed});
  std::vector<Episode> episodes;
  for (int64_t prompt = 0; prompt < 12; ++prompt) {
    const auto tokens = ids(1 + dice.below(20), prompt);
    for (int64_t n = dice.below(4); n >= 0; --n) episodes.push_back({tokens, ids(1 + dice.below(30), 5)});
  }
  return episodes;
}

TEST(MicroBatches, WhatFitsIsOneInItsOrder) {
  const auto rows = texts({5, 90, 20, 1});
  const Pieces whole = {{0, 1, 2, 3}};
  EXPECT_EQ(micro_batches(rows, {}), whole);
  EXPECT_EQ(micro_batches(rows, {.rows = 4, .tokens = 116, .width = 8}), whole);
  EXPECT_EQ(micro_batches(rows, {.rows = 4, .tokens = 115}).size(), 2U);
}

// In the data's order the first two would hold 170 tokens and the last two 30.
TEST(MicroBatches, CostsAreEqual) {
  EXPECT_EQ(micro_batches(texts({90, 80, 20, 10}), {.rows = 2}), (Pieces{{0, 3}, {1, 2}}));
  EXPECT_EQ(micro_batches(texts({10, 10, 30, 10, 10, 10}), {.tokens = 40}), (Pieces{{0, 1, 3, 5}, {2, 4}}));
}

// A row of 60 tokens sees 1,830 pairs, three of 20 see 630: at width 1 that is 305 and 105 tokens more.
TEST(MicroBatches, LongRowsCostTheirAttention) {
  const auto rows = texts({60, 20, 20, 20, 20, 20, 20});
  const Pieces by_tokens = micro_batches(rows, {.rows = 4});
  EXPECT_EQ(by_tokens, (Pieces{{0, 4, 6}, {1, 2, 3, 5}}));
  EXPECT_EQ(micro_batches(rows, {.rows = 6, .width = 1}), (Pieces{{0}, {1, 2, 3, 4, 5, 6}}));
}

// At width 1 the tree of 60 tokens costs 315 (its branches see their prompt), the texts 365, 177 and 177.
TEST(MicroBatches, BranchesSeeTheirPrompt) {
  EXPECT_EQ(micro_batches(std::vector<RowShape>{text(60), {30, {10, 10, 10}}, text(40), text(40)},
                          {.rows = 2, .width = 1}),
            (Pieces{{0, 3}, {1, 2}}));
}

TEST(MicroBatches, ARowBeyondTheLimitIsAlone) {
  EXPECT_EQ(micro_batches(texts({3, 50, 3, 3}), {.tokens = 9}), (Pieces{{0, 2, 3}, {1}}));
}

TEST(MicroBatches, EqualRowsKeepTheirOrder) {
  EXPECT_EQ(micro_batches(texts({7, 7, 7, 7, 7, 7}), {.rows = 2}), (Pieces{{0, 3}, {1, 4}, {2, 5}}));
}

// Under any limits every row has one place, and the forests that are really built obey them.
TEST(MicroBatches, ForestsObeyTheLimits) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<Episode> episodes = random_episodes(seed);
    std::vector<const Episode*> all;
    for (const Episode& episode : episodes) all.push_back(&episode);
    RandomSequence dice({seed + 1000});
    const MicroBatchLimits limits{dice.below(5), 50 + dice.below(100), dice.below(64)};
    const auto shapes = shapes_of(all);
    EXPECT_EQ(forest_tokens(shapes), episode_batch(all).forest.size());
    std::vector<int64_t> seen;
    for (const auto& piece : micro_batches(shapes, limits)) {
      std::vector<const Episode*> chosen;
      for (const int64_t row : piece) chosen.push_back(all[static_cast<size_t>(row)]);
      EXPECT_TRUE(std::is_sorted(piece.begin(), piece.end()));
      EXPECT_LE(episode_batch(chosen).forest.size(), limits.tokens) << seed;
      if (limits.rows > 0) {
        EXPECT_LE(std::ssize(piece), limits.rows) << seed;
      }
      seen.insert(seen.end(), piece.begin(), piece.end());
    }
    std::sort(seen.begin(), seen.end());
    ASSERT_EQ(seen.size(), episodes.size());
    for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<int64_t>(i));
  }
}

TEST(MicroBatches, APromptIsComputedOnceWhereItsRowsFit) {
  std::vector<RowShape> rows;
  for (int prompt = 0; prompt < 6; ++prompt)
    for (int sample = 0; sample < 3; ++sample) rows.push_back({40, {10 + prompt}, sample > 0});
  int64_t tokens = 0;
  for (const auto& piece : micro_batches(rows, {.tokens = 170, .width = 64})) {
    EXPECT_EQ(piece.size() % 3, 0U);
    for (size_t i = 0; i < piece.size(); i += 3) EXPECT_EQ(piece[i] + 2, piece[i + 2]);
    tokens += std::ssize(piece);
  }
  EXPECT_EQ(tokens, 18);
}

TEST(MicroBatches, ShapesAreThoseOfTheForests) {
  Example example;
  example.prompt = {1, 5, 6};
  example.completions = {{7, 2}, {2}, {4, 4, 4, 4}};
  const Example* const pointer = &example;
  const std::vector<RowShape> shapes = {shape_of(example)};
  EXPECT_EQ(forest_tokens(shapes), judged_batch({&pointer, 1}).forest.size());
}

// Graham's bound: with nothing but costs to obey, the dearest is at most 4/3 of the best possible one.
TEST(MicroBatches, TheDearestIsNearTheMean) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    RandomSequence dice({seed});
    std::vector<RowShape> rows;
    double total = 0, longest = 0;
    for (int i = 0; i < 64; ++i) {
      const int64_t size = 8 + dice.below(500);
      rows.push_back(text(size));
      total += static_cast<double>(size);
      longest = std::max(longest, static_cast<double>(size));
    }
    const auto pieces = micro_batches(rows, {.rows = 8});
    EXPECT_EQ(pieces.size(), 8U);
    double dearest = 0;
    for (const auto& piece : pieces) {
      double cost = 0;
      for (const int64_t row : piece) cost += static_cast<double>(rows[static_cast<size_t>(row)].branches[0]);
      dearest = std::max(dearest, cost);
    }
    EXPECT_LE(dearest, 1.1 * std::max(total / 8, longest)) << seed;  // 64 rows: far below 4/3
  }
}

}  // namespace
}  // namespace keel
