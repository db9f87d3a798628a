// Where tests find golden values, real data, and places to write.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "temporary_folder.h"

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

}  // namespace keel
