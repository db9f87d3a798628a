#include "keel/feedback/leaderboard.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>

#include "keel/base/error.h"
#include "keel/statistics/comparability.h"

namespace keel::feedback {
namespace {

// Weak enough to move nothing that battles tell: a contestant that won all of n battles stands at about
// ln(n) nats instead of at infinity.
constexpr double kPriorDeviation = 3;

bool same_content(const Passage& a, const Passage& b) {
  return a.text.empty() && b.text.empty() ? a.ids == b.ids : a.text == b.text;
}

class BattleReader {
 public:
  void add(const JudgedRow& row) {
    if (row.judgement.type != JudgementType::ranking) return;
    const auto& ranks = row.judgement.ranks;
    for (size_t i = 0; i < row.completions.size(); ++i)
      for (size_t j = i + 1; j < row.completions.size(); ++j) {
        const Completion &first = row.completions[i], &second = row.completions[j];
        if (first.model.empty() || second.model.empty() || first.model == second.model ||
            same_content(first.passage, second.passage))
          continue;
        const double outcome = ranks[i] < ranks[j] ? 1 : ranks[i] > ranks[j] ? 0 : 0.5;
        result_.battles.push_back({place_of(first.model), place_of(second.model), outcome,
                                   row.judgement.annotator, row.judgement.prompt});
      }
  }
  ModelBattles result() { return std::move(result_); }

 private:
  int64_t place_of(const std::string& model) {
    const auto [found, is_new] = places_.emplace(model, std::ssize(result_.models));
    if (is_new) result_.models.push_back(model);
    return found->second;
  }
  ModelBattles result_;
  std::map<std::string, int64_t> places_;
};

// What a model was trained from, if both were judged and can be compared.
std::vector<std::pair<size_t, Contrast>> contrasts_with_parents(const ModelBattles& battles,
                                                                const std::vector<Model>& models,
                                                                const Comparability& who) {
  std::vector<std::pair<size_t, Contrast>> result;
  const Names names(who.names);
  const auto place_of = [&](const std::string& name) {
    return std::find(battles.models.begin(), battles.models.end(), name) - battles.models.begin();
  };
  for (const Model& model : models) {
    const auto child = place_of(model.name), parent = place_of(model.parent);
    if (child == std::ssize(battles.models) || parent == std::ssize(battles.models)) continue;
    const size_t place = names.position(child);
    if (who.component[place] == who.component[names.position(parent)])
      result.emplace_back(place, Contrast{child, parent});
  }
  return result;
}

template <class Get>
int64_t distinct(const std::vector<Battle>& battles, const Get& get) {
  std::set<int64_t> values;
  for (const Battle& battle : battles) values.insert(get(battle));
  return std::ssize(values);
}

Json estimate_json(const Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.interval.low}, {"high", estimate.interval.high}};
}

// A difference of points has no `initial`.
Estimate gain_points(const Estimate& strength, const EloScale& scale) {
  return elo_points(strength, {.scale = scale.scale, .base = scale.base, .initial = 0});
}

}  // namespace

ModelBattles model_battles(const std::vector<JudgedRow>& rows) {
  BattleReader reader;
  for (const JudgedRow& row : rows) reader.add(row);
  return reader.result();
}

Leaderboard leaderboard(const std::vector<JudgedRow>& rows, const std::vector<Model>& models,
                        const EloOptions& elo, const Bootstrap& bootstrap) {
  const ModelBattles battles = model_battles(rows);
  if (battles.battles.empty())
    throw Error("leaderboard", "expected judgements that compare two models, got none");
  const Comparability who = comparability(battles.battles);
  BradleyTerryOptions options;
  if (!who.finite()) options.prior_deviation = kPriorDeviation;
  std::vector<Contrast> contrasts;
  const auto with_parents = contrasts_with_parents(battles, models, who);
  for (const auto& [place, contrast] : with_parents) contrasts.push_back(contrast);
  const BradleyTerryEstimate fit =
      bootstrap_bradley_terry(battles.battles, options, bootstrap, Resample::prompts, contrasts);

  Leaderboard board{.battles = std::ssize(battles.battles), .elo = elo};
  board.prompts = distinct(battles.battles, [](const Battle& battle) { return battle.prompt; });
  board.annotators = distinct(battles.battles, [](const Battle& battle) { return battle.annotator; });
  board.prior_deviation = who.finite() ? 0 : kPriorDeviation;
  board.matrix = win_matrix(battles.battles, fit.fit);
  const std::vector<EloRating> ratings = elo_ratings(battles.battles, elo);
  for (size_t i = 0; i < fit.fit.names.size(); ++i) {
    const std::string& name = battles.models[static_cast<size_t>(fit.fit.names[i])];
    board.models.push_back(name);
    board.standings.push_back({.model = name,
                               .battles = ratings[i].battles,
                               .elo = ratings[i],
                               .points = elo_points(fit.strengths[i], elo.scale)});
  }
  for (size_t i = 0; i < with_parents.size(); ++i) {
    Standing& standing = board.standings[with_parents[i].first];
    standing.parent = battles.models[static_cast<size_t>(with_parents[i].second.second)];
    standing.has_gain = true;
    standing.gain = gain_points(fit.contrasts[i], elo.scale);
  }
  std::stable_sort(board.standings.begin(), board.standings.end(),
                   [](const Standing& a, const Standing& b) { return a.points.value > b.points.value; });
  return board;
}

std::string verdict_of(const Estimate& gain) {
  if (gain.interval.low > 0) return "better";
  if (gain.interval.high < 0) return "worse";
  return "no difference that the judgements show";
}

Json leaderboard_json(const Leaderboard& board) {
  Json models = Json::array(), matrix = Json::array();
  for (const Standing& standing : board.standings) {
    Json row = {{"model", standing.model},
                {"battles", standing.battles},
                {"elo", standing.elo.rating},
                {"bradley_terry", estimate_json(standing.points)}};
    if (standing.has_gain) {
      row["parent"] = standing.parent;
      row["gain"] = estimate_json(standing.gain);
      row["verdict"] = verdict_of(standing.gain);
    }
    models.push_back(row);
  }
  const size_t n = board.models.size();
  for (size_t i = 0; i < n * n; ++i) {
    const WinCell& cell = board.matrix[i];
    if (i / n == i % n || cell.battles() == 0) continue;
    matrix.push_back({{"model", board.models[i / n]},
                      {"against", board.models[i % n]},
                      {"wins", cell.wins},
                      {"ties", cell.ties},
                      {"losses", cell.losses},
                      {"observed", cell.observed()},
                      {"expected", cell.expected}});
  }
  return {{"battles", board.battles},
          {"prompts", board.prompts},
          {"annotators", board.annotators},
          {"elo",
           {{"k", board.elo.k},
            {"scale", board.elo.scale.scale},
            {"base", board.elo.scale.base},
            {"initial", board.elo.scale.initial}}},
          {"prior_deviation", board.prior_deviation == 0 ? Json() : Json(board.prior_deviation)},
          {"models", models},
          {"matrix", matrix}};
}

std::string leaderboard_text(const Leaderboard& board) {
  std::array<char, 256> line{};
  std::string text = "model                 battles     Elo   Bradley-Terry (95 %)        over its parent\n";
  for (const Standing& standing : board.standings) {
    std::snprintf(line.data(), line.size(), "%-20s %8lld %7.0f   %6.0f (%.0f to %.0f)",
                  standing.model.c_str(), static_cast<long long>(standing.battles), standing.elo.rating,
                  standing.points.value, standing.points.interval.low, standing.points.interval.high);
    text += line.data();
    if (standing.has_gain) {
      std::snprintf(line.data(), line.size(), "      %+.0f (%+.0f to %+.0f) over %s: ", standing.gain.value,
                    standing.gain.interval.low, standing.gain.interval.high, standing.parent.c_str());
      text += line.data() + verdict_of(standing.gain);
    }
    text += "\n";
  }
  text += std::to_string(board.battles) + " battles on " + std::to_string(board.prompts) + " prompts by " +
          std::to_string(board.annotators) + " annotators; intervals resample prompts";
  if (board.prior_deviation > 0) text += "; a prior holds those who never lost, or never won";
  return text + "\n";
}

}  // namespace keel::feedback
