// The reference values of tests/golden/statistics.
#pragma once

#include <string>
#include <vector>

#include "keel/base/json.h"

namespace keel {

inline Json statistics_golden(const char* part) {
  return read_json("tests/golden/statistics/values.json").at(part);
}

/// The values that the generator of this name wrote.
inline Json statistics_golden_file(const std::string& generator) {
  return read_json("tests/golden/statistics/" + generator + ".json");
}

template <class T = double>
std::vector<T> golden_list(const Json& part, const char* name) {
  return part.at(name).get<std::vector<T>>();
}

}  // namespace keel
