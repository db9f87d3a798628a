#include "keel/simulation/annotators.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "keel/base/error.h"

namespace keel {
namespace {

void check(const Annotator& annotator, std::span<const double> gold) {
  const bool good = annotator.temperature > 0 && annotator.careless >= 0 && annotator.careless <= 1 &&
                    annotator.tie_threshold >= 0;
  if (!good) {
    throw Error("rank",
                "expected a temperature above 0, carelessness in [0, 1] and a tie threshold of at least 0, "
                "got " +
                    json_text(annotator_json(annotator)));
  }
  for (const double score : gold) {
    if (!std::isfinite(score))
      throw Error("rank", "expected finite gold scores, got " + std::to_string(score));
  }
}

// What the annotator believes of each completion, in gold points.
std::vector<double> perceive(const Annotator& annotator, std::span<const double> gold, RandomKey key) {
  key.stream = Stream::annotators;
  key.position = 0;
  RandomSequence draws(key);
  const bool careless = draws.uniform() < annotator.careless;
  std::vector<double> perceived;
  for (const double score : gold) {
    const double gumbel = -std::log(-std::log(draws.uniform()));
    perceived.push_back((careless ? 0 : score) + annotator.temperature * gumbel);
  }
  return perceived;
}

}  // namespace

std::vector<Annotator> demo_annotators() {
  return {{.name = "careful", .temperature = 0.8, .careless = 0.02, .tie_threshold = 0.1},
          {.name = "ordinary", .temperature = 1.5, .careless = 0.05, .tie_threshold = 0.1},
          {.name = "hurried", .temperature = 2.5, .careless = 0.10, .tie_threshold = 0.1}};
}

Json annotator_json(const Annotator& annotator) {
  return {{"name", annotator.name},
          {"temperature", annotator.temperature},
          {"careless", annotator.careless},
          {"tie_threshold", annotator.tie_threshold}};
}

std::vector<int> rank(const Annotator& annotator, std::span<const double> gold, RandomKey key) {
  check(annotator, gold);
  const auto perceived = perceive(annotator, gold, key);
  std::vector<size_t> order(gold.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return perceived[a] > perceived[b]; });
  std::vector<int> ranks(gold.size());
  // A tie is measured from its first member, so that small steps do not chain a whole list into one tie.
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    const double first = perceived[order[begin]];
    for (; end < order.size() && first - perceived[order[end]] <= annotator.tie_threshold; ++end) {
      ranks[order[end]] = static_cast<int>(begin) + 1;
    }
  }
  return ranks;
}

void count_pairs(std::span<const double> gold, std::span<const int> ranks, PairAccuracy& accuracy) {
  for (size_t i = 0; i < gold.size(); ++i) {
    for (size_t j = 0; j < gold.size(); ++j) {
      if (!(gold[i] > gold[j])) continue;
      if (ranks[i] == ranks[j]) {
        ++accuracy.ties;
      } else {
        ++accuracy.pairs;
        accuracy.agreeing += ranks[i] < ranks[j];
      }
    }
  }
}

PairAccuracy expected_pair_accuracy(const Annotator& annotator, std::span<const std::vector<double>> groups,
                                    uint64_t seed, int repeats) {
  PairAccuracy accuracy;
  for (size_t group = 0; group < groups.size(); ++group) {
    for (int repeat = 0; repeat < repeats; ++repeat) {
      // no real ranking has this step: what is expected must not be drawn with the numbers of what happens
      const RandomKey key{.seed = seed,
                          .step = UINT32_MAX,
                          .prompt = static_cast<uint32_t>(group),
                          .sample = static_cast<uint32_t>(repeat)};
      count_pairs(groups[group], rank(annotator, groups[group], key), accuracy);
    }
  }
  return accuracy;
}

}  // namespace keel
