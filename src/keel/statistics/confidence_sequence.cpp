#include "keel/statistics/confidence_sequence.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "keel/base/error.h"
#include "keel/statistics/beta_distribution.h"

namespace keel {
namespace {

constexpr double kPrior = 0.5;  // of both sides of the mixture

// count · ln(x), where nothing counts nothing.
double times_log(double count, double x) {
  return count > 0 ? count * std::log(x) : 0;
}

double log_mixture(double sum, int64_t votes) {
  return log_beta(kPrior + sum, kPrior + static_cast<double>(votes) - sum) - log_beta(kPrior, kPrior);
}

// Where the evidence, which falls towards the mean of the votes and rises behind it, is this much.
double bound(double refuted, double kept, double sum, int64_t votes, double enough) {
  for (int halved = 0; halved < 60; ++halved) {
    const double middle = (refuted + kept) / 2;
    (log_evidence_against(middle, sum, votes) >= enough ? refuted : kept) = middle;
  }
  return refuted;
}

std::optional<int64_t> votes_missing(double sum, int64_t votes, double enough) {
  constexpr int64_t kMost = 1'000'000;
  const double rate = votes > 0 ? sum / static_cast<double>(votes) : 0.5;
  const auto is_enough = [&](int64_t more) {
    return log_evidence_against(0.5, sum + rate * static_cast<double>(more), votes + more) >= enough;
  };
  int64_t few = 0, many = 1;
  while (!is_enough(many))
    if (few = many, many *= 2; many > kMost) return std::nullopt;
  while (many - few > 1) {
    const int64_t middle = (few + many) / 2;
    (is_enough(middle) ? many : few) = middle;
  }
  return many;
}

}  // namespace

double log_evidence_against(double mean, double sum, int64_t votes) {
  return log_mixture(sum, votes) - times_log(sum, mean) -
         times_log(static_cast<double>(votes) - sum, 1 - mean);
}

Interval confidence_sequence(double sum, int64_t votes, double confidence) {
  if (votes == 0) return {0, 1};
  const double rate = sum / static_cast<double>(votes), enough = -std::log(1 - confidence);
  return {sum > 0 ? bound(0, rate, sum, votes, enough) : 0,
          sum < static_cast<double>(votes) ? bound(1, rate, sum, votes, enough) : 1};
}

Certificate certify(std::span<const double> votes, double confidence) {
  if (!(confidence > 0 && confidence < 1))
    throw Error("certify", "expected a confidence inside (0, 1), got " + std::to_string(confidence));
  const double enough = -std::log(1 - confidence);
  Certificate certificate;
  double sum = 0;
  for (const double vote : votes) {
    if (!(vote >= 0 && vote <= 1))
      throw Error("certify", "expected votes in [0, 1], got " + std::to_string(vote));
    sum += vote;
    const double evidence = log_evidence_against(0.5, sum, ++certificate.votes);
    certificate.log_evidence = std::max(certificate.log_evidence, evidence);
    const Interval now = confidence_sequence(sum, certificate.votes, confidence);
    certificate.interval = {std::max(certificate.interval.low, now.low),
                            std::min(certificate.interval.high, now.high)};
    if (certificate.verdict != Verdict::undecided || evidence < enough) continue;
    certificate.verdict = sum * 2 > static_cast<double>(certificate.votes) ? Verdict::better : Verdict::worse;
    certificate.decided_after = certificate.votes;
  }
  if (certificate.votes > 0) certificate.rate = sum / static_cast<double>(certificate.votes);
  if (certificate.verdict == Verdict::undecided)
    certificate.more = votes_missing(sum, certificate.votes, enough);
  return certificate;
}

const char* verdict_name(Verdict verdict) {
  return verdict == Verdict::better ? "better" : verdict == Verdict::worse ? "worse" : "undecided";
}

}  // namespace keel
