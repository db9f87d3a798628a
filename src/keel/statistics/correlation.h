// Correlation of two measures of the same things. A measure that never varies has none: the result is empty.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace keel {

/// Pearson's product-moment correlation. All of these throw Error when the lists differ in length.
std::optional<double> pearson(std::span<const double> x, std::span<const double> y);

/// Spearman's: Pearson's of the average ranks.
std::optional<double> spearman(std::span<const double> x, std::span<const double> y);

/// Pearson's after each group's mean is taken out of both measures, so that easy and hard prompts add
/// nothing: do two judges agree about the samples of one prompt? group[i] names the group of x[i] and y[i].
std::optional<double> within_group_correlation(std::span<const double> x, std::span<const double> y,
                                               std::span<const int64_t> group);

/// Ranks from 1 (the smallest); equal values share the mean of their ranks.
std::vector<double> average_ranks(std::span<const double> values);

}  // namespace keel
