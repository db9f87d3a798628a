#include "keel/rollout/token_sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "keel/tensors/decode_kernels.h"

namespace keel {
namespace {

// The one place where a row of logits becomes a log-probability.
Draw draw(std::span<const float> logits, const SamplingOptions& options, double u, int64_t given) {
  static const DecodeKernels& kernels = *decode_kernel_levels().front();
  thread_local std::vector<float> sums;
  sums.resize(logits.size() / kDrawBlock + 1);
  const bool greedy = options.temperature == 0;
  return kernels.draw({logits.data(), static_cast<int64_t>(logits.size()),
                       greedy ? 1.0F : static_cast<float>(1 / options.temperature), u, greedy, sums.data(),
                       given});
}

// Each token of the context counts once, however often it occurs.
void penalize_repetition(std::vector<double>& scores, std::span<const int64_t> context, double penalty) {
  std::vector<int64_t> seen(context.begin(), context.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (const int64_t token : seen) {
    double& score = scores[static_cast<size_t>(token)];
    score = score > 0 ? score / penalty : score * penalty;
  }
}

void normalize(std::vector<double>& probabilities) {
  const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
  for (double& p : probabilities) p /= sum;
}

void keep_top_k(std::vector<double>& probabilities, int64_t k) {
  if (k <= 0 || k >= static_cast<int64_t>(probabilities.size())) return;
  std::vector<double> sorted = probabilities;
  std::nth_element(sorted.begin(), sorted.begin() + (k - 1), sorted.end(), std::greater<>());
  const double threshold = sorted[static_cast<size_t>(k - 1)];
  for (double& p : probabilities) p = p < threshold ? 0 : p;
  normalize(probabilities);
}

// Cuts the least probable tokens whose sum is at most 1 - top_p; the most probable one always stays.
void keep_top_p(std::vector<double>& probabilities, double top_p) {
  if (top_p >= 1) return;
  std::vector<size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return probabilities[a] < probabilities[b]; });
  double sum = 0;
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    sum += probabilities[order[i]];
    if (sum > 1 - top_p) break;
    probabilities[order[i]] = 0;
  }
  normalize(probabilities);
}

void keep_min_p(std::vector<double>& probabilities, double min_p) {
  if (min_p <= 0) return;
  const double threshold = min_p * *std::max_element(probabilities.begin(), probabilities.end());
  for (double& p : probabilities) p = p < threshold ? 0 : p;
  normalize(probabilities);
}

// Probabilities by token id need not sum to one exactly: u is scaled by their sum.
size_t inverse_cumulative(const std::vector<double>& weights, double u) {
  const double target = u * std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  size_t last = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    sum += weights[i];
    last = i;
    if (sum >= target) break;
  }
  return last;
}

TokenChoice choose_greedily(std::span<const float> logits, std::span<const int64_t> context,
                            const SamplingOptions& options) {
  std::vector<double> scores(logits.begin(), logits.end());
  if (options.repetition_penalty != 1) penalize_repetition(scores, context, options.repetition_penalty);
  const auto token = static_cast<size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  return {static_cast<int64_t>(token), token_logp(logits, static_cast<int64_t>(token), 0), 0.0};
}

}  // namespace

std::vector<double> sampling_distribution(std::span<const float> logits, std::span<const int64_t> context,
                                          const SamplingOptions& options) {
  std::vector<double> scores(logits.begin(), logits.end());
  if (options.repetition_penalty != 1) penalize_repetition(scores, context, options.repetition_penalty);
  const double highest = *std::max_element(scores.begin(), scores.end());
  for (double& score : scores) score = std::exp((score - highest) / options.temperature);
  normalize(scores);
  keep_top_k(scores, options.top_k);
  keep_top_p(scores, options.top_p);
  keep_min_p(scores, options.min_p);
  return scores;
}

TokenChoice choose_token(std::span<const float> logits, std::span<const int64_t> context,
                         const SamplingOptions& options, double u) {
  if (options.reshapes()) {
    if (options.temperature == 0) return choose_greedily(logits, context, options);
    const std::vector<double> probabilities = sampling_distribution(logits, context, options);
    const size_t token = inverse_cumulative(probabilities, u);
    return {static_cast<int64_t>(token), token_logp(logits, static_cast<int64_t>(token), options.temperature),
            std::log(probabilities[token])};
  }
  const Draw drawn = draw(logits, options, u, -1);
  return {drawn.token, drawn.logp, options.temperature == 0 ? 0.0 : drawn.logp};
}

double token_logp(std::span<const float> logits, int64_t token, double temperature) {
  SamplingOptions options;
  options.temperature = temperature;
  return draw(logits, options, 0.5, token).logp;
}

}  // namespace keel
