// Where tests find golden values, real data, and places to write.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace keel {

inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path("tests/golden") / name;
}

/// A file or folder of real data, named KEEL_TEST_DATA (default ../shared/data). Empty when it is not there.
inline std::filesystem::path real_data(const std::string& name) {
  const char* folder = std::getenv("KEEL_TEST_DATA");
  const std::filesystem::path path = std::filesystem::path(folder ? folder : "../shared/data") / name;
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

#define KEEL_NEED_REAL_DATA(path) \
  if ((path).empty()) GTEST_SKIP() << "real data is not there (KEEL_TEST_DATA)"

/// A folder that is removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "keel-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace keel
