// What a row says of its completions beside their order: how much it counts, and numbers that people or fits
// gave.
//
//   weight      of the row's element in a loss, at least 0: how far its annotator is relied on; absent: 1
//   scores      a number for each completion of a preference or ranking: ratings, of which margins are made
//   score       a number for one completion or text: an Elo or Bradley–Terry value, or a rating
//   ratings     {dimension: number} of one completion or text
//   annotator   the name of who judged
//
// In CSV a number is a cell, and a list or object is written as JSON.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "keel/rows/rows.h"

namespace keel {

/// The dimension of a row's `score`.
inline constexpr const char* kScoreDimension = "score";

struct Judgement {
  double weight = 1;
  std::vector<double> scores = {};            // of each completion; empty: none
  std::map<std::string, double> values = {};  // by dimension: `ratings`, and `score`
  std::string annotator = {};
};

/// Errors: [where] a field of another type, a number that is not finite, a weight below 0, scores that do not
/// fit the completions, or ratings of nothing.
Judgement judgement_of(const Row& row, const std::string& where);

}  // namespace keel
