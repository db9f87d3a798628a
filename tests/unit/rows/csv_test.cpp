#include "keel/rows/csv.h"

#include <gtest/gtest.h>

#include "temporary_folder.h"

namespace keel {
namespace {

using Cells = std::vector<std::string>;

TEST(Csv, QuotedCellsHoldCommasQuotesAndLineEnds) {
  const auto records = parse_csv("a,b\r\n\"x, y\",\"say \"\"hi\"\"\r\nthere\"\n,\n", "f");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].cells, (Cells{"a", "b"}));
  EXPECT_EQ(records[1].cells, (Cells{"x, y", "say \"hi\"\r\nthere"}));
  EXPECT_EQ(records[2].cells, (Cells{"", ""}));
}

TEST(Csv, RecordsKnowTheLineTheyStartOn) {
  const auto records = parse_csv("a\n\"1\n2\n3\"\n\n\nb", "f");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1].line, 2);
  EXPECT_EQ(records[2].line, 7);
}

TEST(Csv, LastRecordNeedsNoLineEndAndEmptyQuotesAreAnEmptyCell) {
  const auto records = parse_csv("\"\",x,", "f");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].cells, (Cells{"", "x", ""}));
}

TEST(Csv, DamagedRecordsNameTheirLine) {
  EXPECT_EQ(message_of([] { parse_csv("a\n\"open\n\n", "f.csv"); }),
            "[f.csv:2] expected a closing quote, got the end of the file");
  EXPECT_EQ(message_of([] { parse_csv("a\n\n\"x\"y\n", "f.csv"); }),
            "[f.csv:3] expected a comma or a line end after a quoted cell");
  EXPECT_EQ(message_of([] { parse_csv("a\nx\"y\"\n", "f.csv"); }),
            "[f.csv:2] expected the whole cell in quotes, got a quote inside it");
}

}  // namespace
}  // namespace keel
