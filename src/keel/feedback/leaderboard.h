// How models compare by what annotators said of their completions: Elo, Bradley-Terry, the matrix of wins,
// and whether each model got better than the one that it was trained from.
//
// A ranking of K completions is its K(K-1)/2 pairs; those of one model, of no known model, or of equal texts
// are no battle. Intervals resample prompts with all of their battles, because those of one prompt are not
// independent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "keel/base/json.h"
#include "keel/feedback/store.h"
#include "keel/statistics/bradley_terry.h"
#include "keel/statistics/elo.h"

namespace keel::feedback {

/// Battles between models, which they name by their place in `models`.
struct ModelBattles {
  std::vector<std::string> models;
  std::vector<Battle> battles;  // in the order of events
};
ModelBattles model_battles(const std::vector<JudgedRow>& rows);

struct Standing {
  std::string model = {}, parent = {};
  int64_t battles = 0;
  EloRating elo = {};     // battle by battle
  Estimate points = {};   // Bradley-Terry's strength on Elo's scale, mean `initial`
  bool has_gain = false;  // it was compared with its parent, directly or by way of others
  Estimate gain = {};     // points over the parent's
};

struct Leaderboard {
  std::vector<Standing> standings = {};  // the strongest first
  std::vector<std::string> models = {};  // of the matrix, by name
  std::vector<WinCell> matrix = {};
  int64_t battles = 0, prompts = 0, annotators = 0;
  double prior_deviation = 0;  // in nats, of the strengths; 0: none was needed
  EloOptions elo = {};
};

/// Errors: [leaderboard] no battle between two models.
Leaderboard leaderboard(const std::vector<JudgedRow>& rows, const std::vector<Model>& models,
                        const EloOptions& elo, const Bootstrap& bootstrap);

/// "better", "worse", or "no difference that the judgements show".
std::string verdict_of(const Estimate& gain);

Json leaderboard_json(const Leaderboard& board);
/// A table for a terminal: a line a model, the strongest first, with what its training gained.
std::string leaderboard_text(const Leaderboard& board);

}  // namespace keel::feedback
