// Choosing one token from one row of logits. Plain numbers, no tensor: the same code serves every sampler.
// Order as in transformers: repetition penalty, temperature, top-k, top-p, min-p.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace keel {

struct SamplingOptions {
  int64_t max_new_tokens = 64;
  double temperature = 1.0;  // 0: greedy
  int64_t top_k = 0;         // 0: all
  double top_p = 1.0;        // 1: all
  double min_p = 0.0;        // 0: all
  double repetition_penalty = 1.0;
  std::vector<int64_t> stop_ids = {};          // each ends the text and is part of it
  std::vector<std::string> stop_strings = {};  // each ends the text after the token that completes it

  /// True when what is sampled from is not softmax(logits / temperature) itself.
  bool reshapes() const { return top_k > 0 || top_p < 1 || min_p > 0 || repetition_penalty != 1; }
};

struct TokenChoice {
  int64_t token = 0;
  double logp = 0;          // of log softmax(logits / T), untruncated and without penalty; T is 1 for greedy
  double logp_sampled = 0;  // of the distribution that was drawn from
};

/// The distribution drawn from, by token id: (vocabulary) probabilities, zero where cut. Temperature above 0.
/// `context` is what the repetition penalty looks at: prompt and completion so far (Keskar et al. 2019,
/// section 4.1). Ties at the edge of top-k are all kept, as in transformers.
std::vector<double> sampling_distribution(std::span<const float> logits, std::span<const int64_t> context,
                                          const SamplingOptions& options);

/// log softmax(logits / temperature)[token], to the bit what choose_token reports of it. Temperature 0 counts
/// as 1.
double token_logp(std::span<const float> logits, int64_t token, double temperature);

/// `u` in (0, 1) picks the token by inverse cumulative distribution over token ids. Temperature 0 takes the
/// largest logit, the first of equals.
TokenChoice choose_token(std::span<const float> logits, std::span<const int64_t> context,
                         const SamplingOptions& options, double u);

}  // namespace keel
