// Mean and spread of plain lists, for metrics and reports.
#pragma once

#include <span>

namespace keel {

/// NaN when there is nothing.
double mean(std::span<const double> values);

/// Divided by n, not n − 1; the lists have one length.
double covariance(std::span<const double> a, std::span<const double> b);

/// √covariance(values, values).
double standard_deviation(std::span<const double> values);

/// Divided by n − 1: what a sample says of where it came from.
double sample_deviation(std::span<const double> values);

}  // namespace keel
