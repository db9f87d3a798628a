// Where the tokenizer tests find their files, and temporary folders to put tokenizers in.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "keel/base/files.h"
#include "keel/base/json.h"

namespace keel::tokenizer_tests {

inline const std::filesystem::path kGolden = "tests/golden/tokenizers";

/// A folder of ../shared/data, or of what KEEL_TEST_DATA names.
inline std::filesystem::path test_data(const std::string& name) {
  const char* root = std::getenv("KEEL_TEST_DATA");
  return std::filesystem::path(root != nullptr ? root : "../shared/data") / name;
}

/// A folder that lives as long as this object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "keel-tokenizer-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

  void write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;  // no sync: the hostile tests write thousands
  }
  /// All files of `source`, those that end in .gz unpacked.
  void unpack(const std::filesystem::path& source) const {
    for (const auto& entry : std::filesystem::directory_iterator(source)) {
      const auto name = entry.path().filename();
      if (entry.is_regular_file())
        write(name.extension() == ".gz" ? name.stem().string() : name.string(), read_file(entry.path()));
    }
  }

 private:
  std::filesystem::path path_;
};

/// The bytes of a line of lines.jsonl.gz.
inline std::string line_bytes(const Json& line) {
  if (line.is_string()) return line.get<std::string>();
  const std::string hex = line.at("hex").get<std::string>();
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

inline std::vector<std::string> golden_lines() {
  std::vector<std::string> lines;
  for_each_line(kGolden / "lines.jsonl.gz", [&](std::string_view text, int64_t) {
    lines.push_back(line_bytes(parse_json(text, "lines")));
  });
  return lines;
}

}  // namespace keel::tokenizer_tests
