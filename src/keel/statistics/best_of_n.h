// Best-of-n sampling, the baseline that any optimised policy has to be compared with.
// Estimator: Nakano et al. 2021 (WebGPT), appendix on rejection sampling. KL: Stiennon et al. 2020, appendix
// G.3; Beirami et al. 2024, "Theoretical guarantees on the best-of-n alignment policy", theorem 1.
#pragma once

#include <cstdint>
#include <span>

namespace keel {

/// The expected value of the sample that has the highest proxy score among n, estimated without bias from m
/// >= n samples of one prompt: with the samples sorted by proxy (i = 1..m), the sum of C(i-1, n-1) / C(m, n)
/// · value_i, which is the mean over all subsets of n. Equal proxy scores share their weights, as if a coin
/// chose. value is what is measured (gold score, a win as 0 or 1); it may be the proxy itself. Errors:
/// [best_of_n] unequal lengths, or n outside [1, m].
double best_of_n(std::span<const double> proxy, std::span<const double> value, int64_t n);

/// ln n - (n - 1) / n nats: the KL from best-of-n to the policy sampled from. Exact when no two samples tie,
/// else an upper bound, and a loose one where the policy is nearly deterministic.
double best_of_n_kl(int64_t n);

}  // namespace keel
