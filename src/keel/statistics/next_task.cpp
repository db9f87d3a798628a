#include "keel/statistics/next_task.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "keel/base/error.h"
#include "keel/base/random.h"
#include "keel/statistics/cholesky.h"
#include "keel/statistics/comparability.h"
#include "keel/statistics/moments.h"
#include "keel/statistics/paired_likelihood.h"

namespace keel {
namespace {

// Words of a text, each hashed to a place and a sign, of length 1: near texts have near vectors (Weinberger
// et al. 2009, "Feature Hashing for Large Scale Multitask Learning").
constexpr size_t kPlaces = 128;
using Sketch = std::array<float, kPlaces>;

uint64_t hash_of(std::string_view word) {  // FNV-1a
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash ^ (hash >> 29);
}

Sketch sketch_of(const std::string& text) {
  Sketch sketch{};
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find_first_of(" \n\t\r", begin), text.size());
    if (end > begin) {
      const uint64_t hash = hash_of(std::string_view(text).substr(begin, end - begin));
      sketch[hash % kPlaces] += (hash >> 32) % 2 == 0 ? 1.0f : -1.0f;
    }
    begin = end + 1;
  }
  float squares = 0;
  for (const float value : sketch) squares += value * value;
  if (squares > 0)
    for (float& value : sketch) value /= std::sqrt(squares);
  return sketch;
}

float distance(const Sketch& a, const Sketch& b) {
  float dot = 0;
  for (size_t i = 0; i < kPlaces; ++i) dot += a[i] * b[i];
  return 1 - dot;
}

// The curvature of the log-posterior in the strengths, row by row.
std::vector<double> information(std::span<const Battle> battles, const Names& names,
                                const std::vector<double>& strengths, double prior_deviation) {
  const size_t n = names.size();
  std::vector<double> matrix(n * n);
  for (size_t i = 0; i < n; ++i) matrix[i * n + i] = 1 / (prior_deviation * prior_deviation);
  for (const Battle& battle : battles) {
    const size_t i = names.position(battle.first), j = names.position(battle.second);
    const auto p = paired_chances(strengths[i] - strengths[j], 0);
    const double weight = p.win * p.loss;
    matrix[i * n + i] += weight, matrix[j * n + j] += weight;
    matrix[i * n + j] -= weight, matrix[j * n + i] -= weight;
  }
  return matrix;
}

std::vector<double> inverse(std::vector<double> matrix, size_t n) {
  const Cholesky factor(std::move(matrix), n);
  std::vector<double> result;
  for (size_t i = 0; i < n; ++i) {
    std::vector<double> unit(n);
    unit[i] = 1;
    const std::vector<double> row = factor.solve(std::move(unit));
    result.insert(result.end(), row.begin(), row.end());
  }
  return result;
}

// Each member's scores, all tasks together, with mean 0 and deviation 1.
std::vector<std::vector<std::vector<double>>> on_one_scale(
    std::vector<std::vector<std::vector<double>>> scores) {
  const size_t members = scores.empty() ? 0 : scores.front().size();
  for (size_t m = 0; m < members; ++m) {
    std::vector<double> all;
    for (const auto& task : scores) {
      if (task.size() != members)
        throw Error("disagreement", "expected " + std::to_string(members) +
                                        " members' scores of every task, got " + std::to_string(task.size()));
      all.insert(all.end(), task[m].begin(), task[m].end());
    }
    const double centre = mean(all), deviation = standard_deviation(all);
    for (auto& task : scores)
      for (double& score : task[m]) score = deviation > 0 ? (score - centre) / deviation : 0;
  }
  return scores;
}

}  // namespace

std::vector<double> random_priorities(size_t tasks, uint64_t seed) {
  std::vector<double> priorities;
  for (size_t i = 0; i < tasks; ++i)
    priorities.push_back(
        uniform({.seed = seed, .stream = Stream::selection, .prompt = static_cast<uint32_t>(i)}));
  return priorities;
}

ComparisonValue::ComparisonValue(std::span<const Battle> battles, std::span<const int64_t> names,
                                 double prior_deviation)
    : names_([&] {
        std::vector<int64_t> all(names.begin(), names.end());
        for (const Battle& battle : battles) all.insert(all.end(), {battle.first, battle.second});
        return Names(std::move(all));
      }()),
      strengths_(names_.size()) {
  if (!battles.empty()) {
    const Comparability who = comparability(battles);
    PairedLikelihood likelihood(battles, who, prior_deviation, /*model_ties=*/false);
    std::vector<double> outcomes;
    for (const Battle& battle : battles) outcomes.push_back(battle.outcome);
    likelihood.observe(outcomes, std::vector<double>(battles.size(), 1.0));
    likelihood.maximise();
    for (size_t i = 0; i < who.names.size(); ++i)
      strengths_[names_.position(who.names[i])] = likelihood.strengths()[i];
  }
  covariance_ = inverse(information(battles, names_, strengths_, prior_deviation), names_.size());
}

double ComparisonValue::operator()(int64_t first, int64_t second) const {
  const size_t n = names_.size(), i = names_.position(first), j = names_.position(second);
  const auto p = paired_chances(strengths_[i] - strengths_[j], 0);
  return p.win * p.loss * (covariance_[i * n + i] + covariance_[j * n + j] - 2 * covariance_[i * n + j]);
}

std::vector<double> disagreement_priorities(const std::vector<std::vector<std::vector<double>>>& scores) {
  std::vector<double> priorities;
  for (const auto& task : on_one_scale(scores)) {
    double sum = 0, pairs = 0;
    const size_t completions = task.empty() ? 0 : task.front().size();
    for (size_t i = 0; i < completions; ++i)
      for (size_t j = i + 1; j < completions; ++j) {
        std::vector<double> margins;
        for (const auto& member : task) margins.push_back(member[i] - member[j]);
        sum += standard_deviation(margins), ++pairs;
      }
    priorities.push_back(pairs > 0 ? sum / pairs : 0);
  }
  return priorities;
}

std::vector<double> diverse_priorities(const std::vector<std::string>& texts,
                                       const std::vector<std::string>& asked, uint64_t seed, int64_t most) {
  std::vector<Sketch> sketches;
  for (const std::string& text : texts) sketches.push_back(sketch_of(text));
  std::vector<float> nearest(texts.size(), std::numeric_limits<float>::infinity());
  const auto move_away_from = [&](const Sketch& from) {
    for (size_t i = 0; i < sketches.size(); ++i)
      nearest[i] = std::min(nearest[i], distance(sketches[i], from));
  };
  for (const std::string& text : asked) move_away_from(sketch_of(text));
  std::vector<double> priorities = random_priorities(texts.size(), seed);  // those in (0, 1) come last
  std::vector<bool> taken(texts.size());
  const int64_t first_ones = std::min(most, std::ssize(texts));
  for (int64_t picked = 0; picked < first_ones; ++picked) {
    size_t farthest = texts.size();
    for (size_t i = 0; i < texts.size(); ++i)
      if (!taken[i] && (farthest == texts.size() || nearest[i] > nearest[farthest])) farthest = i;
    taken[farthest] = true;
    priorities[farthest] = static_cast<double>(first_ones - picked);
    move_away_from(sketches[farthest]);
  }
  return priorities;
}

}  // namespace keel
