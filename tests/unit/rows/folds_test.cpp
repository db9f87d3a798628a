#include "keel/rows/folds.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "keel/base/error.h"

namespace keel {
namespace {

RowFile file_of(int64_t prompts, int64_t rows_of_a_prompt) {
  RowFile file;
  file.path = "rows.jsonl";
  for (int64_t i = 0; i < prompts * rows_of_a_prompt; ++i) {
    Row row{.line = i + 1, .kind = RowKind::preference, .has_prompt = true, .ranks = {1, 2}};
    row.prompt.text = "prompt " + std::to_string(i % prompts);
    row.extra["person"] = i % 3;
    file.rows.push_back(row);
  }
  return file;
}

TEST(Folds, ArePartsOfEqualSizeThatTearNoPrompt) {
  const RowFile file = file_of(23, 2);
  const std::vector<int64_t> folds = folds_of(file, 5, "", 1);
  std::map<int64_t, int64_t> sizes;
  for (size_t i = 0; i < folds.size(); ++i) {
    EXPECT_EQ(folds[i], folds[i % 23]);
    ++sizes[folds[i]];
  }
  ASSERT_EQ(sizes.size(), 5U);
  for (const auto& [fold, size] : sizes) EXPECT_TRUE(size == 8 || size == 10) << fold << " has " << size;
  EXPECT_EQ(folds, folds_of(file, 5, "", 1));
  EXPECT_NE(folds, folds_of(file, 5, "", 2));
}

TEST(Folds, GoByAField) {
  const RowFile file = file_of(7, 3);
  const std::vector<int64_t> folds = folds_of(file, 3, "person", 1);
  EXPECT_EQ(std::set<int64_t>(folds.begin(), folds.begin() + 3).size(), 3U);
  for (size_t i = 0; i < folds.size(); ++i) EXPECT_EQ(folds[i], folds[i % 3]);
  EXPECT_THROW(folds_of(file, 4, "person", 1), Error);
  EXPECT_THROW(folds_of(file, 3, "country", 1), Error);
}

TEST(Folds, PermutingTurnsAboutHalfAround) {
  std::vector<Row> rows = file_of(400, 1).rows;
  for (Row& row : rows) row.ranks = {1, 1, 3};
  permute_judgements(rows, 4);
  const std::vector<int64_t> kept = {1, 1, 3}, turned = {3, 3, 1};
  const auto count =
      std::count_if(rows.begin(), rows.end(), [&](const Row& row) { return row.ranks == turned; });
  EXPECT_EQ(
      count + std::count_if(rows.begin(), rows.end(), [&](const Row& row) { return row.ranks == kept; }),
      400);
  EXPECT_NEAR(static_cast<double>(count), 200, 40);
}

}  // namespace
}  // namespace keel
