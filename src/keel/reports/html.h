// Text and numbers as HTML. Whatever comes from a model or a file passes through escape(): it may be hostile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "keel/statistics/intervals.h"

namespace keel::html {

/// Text that a browser shows and never obeys: & < > " ' become entities; broken UTF-8, control characters
/// (but line ends and tabs) and marks that turn the direction of text become U+FFFD.
std::string escape(std::string_view text);

/// Three significant digits for people: "0.0123", "1.23", "12.3", "1,235"; a true minus sign; "–" for what is
/// no number and "∞" for what is infinite.
std::string number(double value);
std::string number(int64_t value);

/// With as many decimals as three significant digits of `scale` need: numbers of one sentence line up.
std::string number(double value, double scale);

/// A share as "61.3 %".
std::string percent(double share);

/// "1.23 (1.05 to 1.41)", all with the decimals of the largest. The count is said beside it, in its own
/// column or sentence.
std::string with_interval(const Estimate& estimate);
/// The largest finite magnitude of an estimate and its bounds: their common scale.
double scale_of(const Estimate& estimate);
/// "61.3 % (55.1 to 67.2)"
std::string percent_with_interval(double share, const Interval& interval);

/// "4 min 05 s", "12.3 s".
std::string duration(double seconds);

}  // namespace keel::html
