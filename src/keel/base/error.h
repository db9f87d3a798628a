// Errors that a user can mend. Every message is one line: "[where] expected X, got Y: what to do".
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace keel {

/// A failure with a cause outside the program: a file, a model, a full disk. The program exits with 1.
class Error : public std::runtime_error {
 public:
  Error(std::string_view where, std::string_view message);
};

/// A wrong command line, recipe or option. The program exits with 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// The text of errno, as "No space left on device".
std::string system_message(int error_number);

/// The candidate that is the fewest edits away from `name`, or "" when none is near (more than a third
/// differs).
template <class Names>
std::string nearest_name(std::string_view name, const Names& candidates);

int edit_distance(std::string_view a, std::string_view b);

template <class Names>
std::string nearest_name(std::string_view name, const Names& candidates) {
  std::string best;
  int best_distance = static_cast<int>(name.size()) / 3 + 2;
  for (const auto& candidate : candidates) {
    const int distance = edit_distance(name, candidate);
    if (distance < best_distance) best_distance = distance, best = candidate;
  }
  return best;
}

}  // namespace keel
