#include "keel/feedback/target_rows.h"

#include <map>
#include <utility>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/feedback/comparison_items.h"
#include "keel/feedback/exchange.h"
#include "keel/statistics/bradley_terry.h"
#include "keel/statistics/elo.h"
#include "keel/statistics/moments.h"

namespace keel::feedback {
namespace {

constexpr double kPriorDeviation = 3;  // nats: the completion that won all of n pairs stands at about ln(n)

// Completions as contestants, in the order in which they were ranked first.
struct Contest {
  std::vector<JudgedRow> shown = {};  // of each contestant: a row with its completion alone
  std::vector<Battle> battles = {};
};

class ContestReader {
 public:
  void add(const JudgedRow& row) {
    const auto& ranks = row.judgement.ranks;
    std::vector<int64_t> places;
    for (const Completion& completion : row.completions) places.push_back(place_of(row, completion));
    for (size_t i = 0; i < places.size(); ++i)
      for (size_t j = i + 1; j < places.size(); ++j)
        if (places[i] != places[j])
          contest_.battles.push_back({.first = places[i],
                                      .second = places[j],
                                      .outcome = ranks[i] < ranks[j]   ? 1.0
                                                 : ranks[i] > ranks[j] ? 0.0
                                                                       : 0.5,
                                      .annotator = row.judgement.annotator,
                                      .prompt = row.judgement.prompt});
  }
  Contest result() { return std::move(contest_); }

 private:
  int64_t place_of(const JudgedRow& row, const Completion& completion) {
    const auto [found, is_new] = places_.try_emplace({row.judgement.prompt, content_of(completion.passage)},
                                                     static_cast<int64_t>(places_.size()));
    if (is_new) {
      JudgedRow alone{.prompt = row.prompt, .completions = {completion}};
      contest_.shown.push_back(std::move(alone));
    }
    return found->second;
  }

  std::map<std::pair<int64_t, Content>, int64_t> places_;
  Contest contest_;
};

std::vector<double> standardised(std::vector<double> values) {
  const double centre = mean(values), deviation = standard_deviation(values);
  for (double& value : values) value = deviation > 0 ? (value - centre) / deviation : 0;
  return values;
}

// The names of contestants with battles, and a number for each.
std::pair<std::vector<int64_t>, std::vector<double>> numbers_of(const std::vector<Battle>& battles,
                                                                Targets targets) {
  if (targets == Targets::bradley_terry) {
    BradleyTerry fit = bradley_terry(battles, {.prior_deviation = kPriorDeviation});
    return {fit.names, standardised(fit.strengths)};
  }
  std::pair<std::vector<int64_t>, std::vector<double>> numbers;
  for (const EloRating& rating : elo_ratings(battles))
    numbers.first.push_back(rating.name), numbers.second.push_back(rating.rating);
  numbers.second = standardised(std::move(numbers.second));
  return numbers;
}

std::string ranked_rows(const std::vector<JudgedRow>& rows, Targets targets, int64_t& written) {
  ContestReader reader;
  for (const JudgedRow& row : rows)
    if (row.judgement.type == JudgementType::ranking) reader.add(row);
  const Contest contest = reader.result();
  if (contest.battles.empty()) return "";
  std::map<int64_t, int64_t> battles;
  for (const Battle& battle : contest.battles) ++battles[battle.first], ++battles[battle.second];
  const auto [names, numbers] = numbers_of(contest.battles, targets);
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    JudgedRow row = contest.shown[static_cast<size_t>(names[i])];
    row.judgement.type = JudgementType::rating;
    std::optional<Json> object = judgement_json(row);
    if (!object) continue;
    for (const char* of_nobody : {"annotator", "kind", "key", "ratings"}) object->erase(of_nobody);
    (*object)["score"] = numbers[i];
    (*object)["battles"] = battles.at(names[i]);
    text += json_text(*object) + "\n";
    ++written;
  }
  return text;
}

std::string rated_rows(const std::vector<JudgedRow>& rows, int64_t& written) {
  std::map<std::pair<int64_t, std::string>, std::vector<double>> given;  // annotator, dimension
  for (const JudgedRow& row : rows)
    for (const auto& [dimension, value] : row.judgement.ratings)
      given[{row.judgement.annotator, dimension}].push_back(value);
  std::string text;
  for (JudgedRow row : rows) {
    if (row.judgement.type != JudgementType::rating) continue;
    for (auto& [dimension, value] : row.judgement.ratings) {
      const auto& all = given.at({row.judgement.annotator, dimension});
      const double deviation = standard_deviation(all);
      value = deviation > 0 ? (value - mean(all)) / deviation : 0;
    }
    const std::optional<Json> object = judgement_json(row);
    if (!object) continue;
    text += json_text(*object) + "\n";
    ++written;
  }
  return text;
}

}  // namespace

Targets targets_named(const std::string& name) {
  if (name == "none") return Targets::none;
  if (name == "elo") return Targets::elo;
  if (name == "bradley_terry") return Targets::bradley_terry;
  if (name == "standardised_ratings") return Targets::standardised_ratings;
  throw UsageError("--targets", "expected none, elo, bradley_terry or standardised_ratings, got " + name);
}

int64_t write_target_rows(const std::vector<JudgedRow>& rows, Targets targets,
                          const std::filesystem::path& path) {
  int64_t written = 0;
  const std::string text = targets == Targets::standardised_ratings ? rated_rows(rows, written)
                                                                    : ranked_rows(rows, targets, written);
  write_file_atomically(path, text);
  return written;
}

}  // namespace keel::feedback
