#include "keel/base/error.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace keel {

Error::Error(std::string_view where, std::string_view message)
    : std::runtime_error("[" + std::string(where) + "] " + std::string(message)) {}

std::string system_message(int error_number) {
  return std::strerror(error_number);
}

// Levenshtein distance with one row of the table kept.
int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replace});
    }
  }
  return row[b.size()];
}

}  // namespace keel
