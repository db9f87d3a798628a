#include "keel/feedback/influence.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "keel/base/error.h"
#include "keel/feedback/leaderboard.h"

namespace keel::feedback {
namespace {

std::string listed(const PoisonBudget& budget, const std::map<int64_t, std::string>& names) {
  std::string text;
  for (const int64_t annotator : budget.annotators) text += (text.empty() ? "" : ", ") + names.at(annotator);
  return text;
}

std::string budget_text(const Conclusion& conclusion, const std::string& measure,
                        const std::map<int64_t, std::string>& names) {
  const PoisonBudget& budget = conclusion.budget;
  if (budget.annotators.empty()) return measure + ": the two are equal, nothing to turn\n";
  const size_t few = budget.annotators.size();
  const std::string count = std::to_string(few) + (few == 1 ? " annotator" : " annotators");
  std::string text = measure + ": " + (conclusion.measure > 0 ? "better" : "worse") + "; without ";
  text += budget.exact ? count + ", and no fewer, that is gone: "
                       : "at most " + count + " (greedy; at least " + std::to_string(budget.at_least) +
                             ") that is gone: ";
  return text + listed(budget, names) + "\n";
}

Json conclusion_json(const Conclusion& conclusion, const std::map<int64_t, std::string>& names) {
  Json left_out = Json::array(), few = Json::array();
  for (const LeftOut& one : conclusion.left_out)
    left_out.push_back(
        {{"annotator", names.at(one.annotator)}, {"battles", one.battles}, {"without", one.without}});
  for (const int64_t annotator : conclusion.budget.annotators) few.push_back(names.at(annotator));
  return {{"measure", conclusion.measure},
          {"poison_budget", few.size()},
          {"exact", conclusion.budget.exact},
          {"at_least", conclusion.budget.at_least},
          {"annotators", few},
          {"left_out", left_out}};
}

}  // namespace

Influence influence(const std::vector<JudgedRow>& rows, const Rivals& rivals, int64_t most_fits) {
  const ModelBattles battles = model_battles(rows);
  const auto place_of = [&](const std::string& name) {
    return std::find(battles.models.begin(), battles.models.end(), name) - battles.models.begin();
  };
  const int64_t better = place_of(rivals.better), than = place_of(rivals.than);
  for (const auto& [place, name] : {std::pair(better, rivals.better), std::pair(than, rivals.than)})
    if (place == std::ssize(battles.models))
      throw Error("influence", "expected judgements of the model " + name + " and another, got none");
  Influence result{.rivals = rivals};
  for (const JudgedRow& row : rows) result.names[row.judgement.annotator] = row.annotator.name;
  result.wins = win_rate_conclusion(battles.battles, better, than);
  result.strengths =
      bradley_terry_conclusion(battles.battles, better, than, /*prior_deviation=*/3, most_fits);
  result.battles = std::ssize(battles.battles);
  for (const LeftOut& one : result.wins.left_out) result.of_both += one.battles;
  return result;
}

Json influence_json(const Influence& influence) {
  return {{"better", influence.rivals.better},
          {"than", influence.rivals.than},
          {"battles", influence.battles},
          {"battles_of_both", influence.of_both},
          {"wins", conclusion_json(influence.wins, influence.names)},
          {"bradley_terry", conclusion_json(influence.strengths, influence.names)}};
}

std::string influence_text(const Influence& influence) {
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(),
                "%.60s over %.60s: wins less losses %+.1f of %lld, strength %+.3f\n",
                influence.rivals.better.c_str(), influence.rivals.than.c_str(), influence.wins.measure,
                static_cast<long long>(influence.of_both), influence.strengths.measure);
  std::string text = line.data();
  text += "without annotator       battles   wins less losses   strength\n";
  for (size_t i = 0; i < influence.wins.left_out.size(); ++i) {
    const LeftOut &wins = influence.wins.left_out[i], &strength = influence.strengths.left_out[i];
    std::snprintf(line.data(), line.size(), "%-22.60s %8lld   %+16.1f   %+8.3f\n",
                  influence.names.at(wins.annotator).c_str(), static_cast<long long>(wins.battles),
                  wins.without, strength.without);
    text += line.data();
  }
  return text + budget_text(influence.wins, "by wins", influence.names) +
         budget_text(influence.strengths, "by Bradley-Terry", influence.names);
}

}  // namespace keel::feedback
