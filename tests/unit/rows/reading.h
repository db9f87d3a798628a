// Rows of small files that a test writes itself.
#pragma once

#include <gtest/gtest.h>

#include "keel/rows/rows.h"
#include "temporary_folder.h"

namespace keel {

using Ranks = std::vector<int64_t>;
using Refused = std::map<std::string, int64_t>;

class RowReading : public testing::Test {
 protected:
  RowFile read(const std::string& content, RowFormat format = RowFormat::automatic,
               const std::string& name = "data.jsonl") {
    return read_rows(folder_.write(name, content), format);
  }
  Row only_row(const std::string& content, RowFormat format = RowFormat::automatic) {
    const RowFile file = read(content, format);
    EXPECT_EQ(file.rows.size(), 1u);
    EXPECT_TRUE(file.refused.empty());
    return file.rows.at(0);
  }
  // The reason why the only row was left out.
  std::string left_out(const std::string& content, RowFormat format = RowFormat::automatic) {
    const RowFile file = read(content, format);
    EXPECT_TRUE(file.rows.empty());
    EXPECT_EQ(file.refused.size(), 1u);
    return file.refused.empty() ? "taken" : file.refused.begin()->first;
  }
  // The error's text behind the folder's name: "data.jsonl:3] expected ...".
  std::string error(const std::string& content, RowFormat format = RowFormat::automatic,
                    const std::string& name = "data.jsonl") {
    const std::string message = message_of([&] { read(content, format, name); });
    const size_t found = message.find(name);
    EXPECT_EQ(message.find('\n'), message.npos) << message;
    return found == message.npos ? "no error: " + message : message.substr(found);
  }
  static std::vector<std::string> texts(const Row& row) {
    std::vector<std::string> result;
    for (const Passage& passage : row.completions) result.push_back(passage.text);
    return result;
  }
  TemporaryFolder folder_;
};

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

}  // namespace keel
