// The reference values of tests/golden/statistics.
#pragma once

#include <vector>

#include "keel/base/json.h"

namespace keel {

inline Json statistics_golden(const char* part) {
  return read_json("tests/golden/statistics/values.json").at(part);
}

template <class T = double>
std::vector<T> golden_list(const Json& part, const char* name) {
  return part.at(name).get<std::vector<T>>();
}

}  // namespace keel
