// What a row says of its completions beside their order, as trainers take it: how much it counts, and numbers
// that people or fits gave. Weight and ratings are the row's own; these are fields that rows keep in `extra`:
//
//   scores      a number for each completion of a preference or ranking, of which margins are made
//   score       a number for one completion or text: an Elo or Bradley–Terry value, or a rating
//   annotator   the name of who judged
//   group       the name of a group that who judged belongs to
//
// In CSV a list is written as JSON.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "keel/rows/rows.h"

namespace keel {

/// The dimension of a row's `score`.
inline constexpr const char* kScoreDimension = "score";

struct Judgement {
  double weight = 1;                          // of the row's element in a loss
  std::vector<double> scores = {};            // of each completion; empty: none
  std::map<std::string, double> values = {};  // by dimension: `ratings`, and `score`
  std::string annotator = {}, group = {};
};

/// A list of scores with a null in it says nothing. Errors: [where] a field of another type, a number that is
/// not finite, or scores that do not fit the completions.
Judgement judgement_of(const Row& row, const std::string& where);

}  // namespace keel
