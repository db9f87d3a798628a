#include "keel/reports/html.h"

#include <utf8proc.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace keel::html {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kMinus = "\xE2\x88\x92";        // U+2212

bool is_shown(utf8proc_int32_t code) {
  if (code == '\n' || code == '\t') return true;
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  const bool direction = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return !control && !direction;
}

void append_escaped(std::string& out, utf8proc_int32_t code, std::string_view bytes) {
  switch (code) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    case '\'':
      out += "&#39;";
      break;
    default:
      out += is_shown(code) ? bytes : kReplacement;
  }
}

std::string printed(const char* format, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

// "12345" to "12,345"
std::string grouped(std::string digits) {
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<size_t>(at), ",");
  }
  return digits;
}

// Decimals that show three significant digits. The steps lie where rounding would otherwise show a fourth.
int decimals_of(double magnitude) {
  int decimals = 0;
  for (double step = 99.95; decimals < 6 && magnitude < step; step /= 10) ++decimals;
  return decimals;
}

std::string magnitude(double value, double scale) {
  if (value == 0) return "0";
  if (scale < 1e-4 || scale >= 1e7) return printed("%.2e", value);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", decimals_of(scale), value);
  const std::string text = buffer;
  return text.find('.') == std::string::npos ? grouped(text) : text;
}

// A share in percent without the sign: "61.3"
std::string hundredths(double share) {
  if (!std::isfinite(share)) return number(share);
  return (share < 0 ? std::string(kMinus) : "") + printed("%.1f", std::abs(100 * share));
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t code = -1;
    const auto length = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &code);
    if (length <= 0) {
      out += kReplacement;
      ++at;
    } else {
      append_escaped(out, code, text.substr(at, static_cast<size_t>(length)));
      at += static_cast<size_t>(length);
    }
  }
  return out;
}

std::string number(double value) {
  return number(value, std::abs(value));
}

std::string number(double value, double scale) {
  if (std::isnan(value)) return "\xE2\x80\x93";  // an en dash
  const std::string sign(value < 0 ? kMinus : "");
  if (std::isinf(value)) return sign + "\xE2\x88\x9E";
  return sign + magnitude(std::abs(value), scale);
}

std::string number(int64_t value) {
  const std::string digits = std::to_string(value);
  return value < 0 ? std::string(kMinus) + grouped(digits.substr(1)) : grouped(digits);
}

std::string percent(double share) {
  return hundredths(share) + " %";
}

double scale_of(const Estimate& estimate) {
  double scale = 0;
  for (const double value : {estimate.value, estimate.interval.low, estimate.interval.high}) {
    if (std::isfinite(value)) scale = std::max(scale, std::abs(value));
  }
  return scale;
}

std::string with_interval(const Estimate& estimate) {
  const double scale = scale_of(estimate);
  return number(estimate.value, scale) + " (" + number(estimate.interval.low, scale) + " to " +
         number(estimate.interval.high, scale) + ")";
}

std::string percent_with_interval(double share, const Interval& interval) {
  return percent(share) + " (" + hundredths(interval.low) + " to " + hundredths(interval.high) + ")";
}

std::string duration(double seconds) {
  if (seconds < 60) return printed("%.1f", seconds) + " s";
  const auto whole = static_cast<int64_t>(std::lround(seconds));
  return number(whole / 60) + " min " + (whole % 60 < 10 ? "0" : "") + std::to_string(whole % 60) + " s";
}

}  // namespace keel::html
