#include "keel/reports/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

#include "keel/reports/html.h"

namespace keel::svg {
namespace {

// Units of the drawing. A figure is shown 320 to 420 pixels wide, so a unit is about a pixel and text stays
// legible.
constexpr double kWidth = 400, kHeight = 270;
constexpr double kLeft = 52, kRight = 12, kTop = 10, kBottom = 42;
constexpr double kLegendLine = 17, kCharacter = 6.3;

struct Range {
  double low = 0, high = 1;
};

// A linear map from data to drawing units.
struct Scale {
  Range data;
  double begin = 0, end = 1;
  double operator()(double value) const {
    return begin + (value - data.low) / (data.high - data.low) * (end - begin);
  }
};

struct Frame {
  Scale x, y;
};

std::string coordinate(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f", value);
  std::string text = buffer;
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string at(double x, double y) {
  return coordinate(x) + " " + coordinate(y);
}

std::string attribute(const char* name, double value) {
  return std::string(" ") + name + "=\"" + coordinate(value) + "\"";
}

std::string text_at(double x, double y, const char* classes, const std::string& text) {
  return "<text class=\"" + std::string(classes) + "\"" + attribute("x", x) + attribute("y", y) + ">" +
         html::escape(text) + "</text>";
}

std::string line(double x1, double y1, double x2, double y2, const char* classes) {
  return "<line class=\"" + std::string(classes) + "\"" + attribute("x1", x1) + attribute("y1", y1) +
         attribute("x2", x2) + attribute("y2", y2) + "/>";
}

std::string dot(double x, double y, double radius, const std::string& classes) {
  return "<circle class=\"" + classes + "\"" + attribute("cx", x) + attribute("cy", y) +
         attribute("r", radius) + "/>";
}

std::string style_class(int style) {
  return "s" + std::to_string(std::clamp(style, 0, 4));
}

std::string opened(const std::string& title, double height) {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + coordinate(kWidth) + " " +
         coordinate(height) + "\" role=\"img\" aria-label=\"" + html::escape(title) + "\">";
}

bool is_finite(const Point& point) {
  return std::isfinite(point.x) && std::isfinite(point.y);
}

// The smallest range over some values; a single value gets room on both sides.
Range range_of(const std::vector<double>& values) {
  Range range{values.front(), values.front()};
  for (const double value : values)
    range.low = std::min(range.low, value), range.high = std::max(range.high, value);
  if (range.high - range.low < 1e-9 * std::max(1.0, std::abs(range.high))) {
    const double room = std::max(0.5 * std::abs(range.high), 1e-3);
    range = {range.low - room, range.high + room};
  }
  return range;
}

// With a little room above and below; what is never negative does not look as if it could be.
Range with_room(Range range) {
  const double room = 0.05 * (range.high - range.low);
  return {range.low >= 0 ? std::max(0.0, range.low - room) : range.low - room, range.high + room};
}

// A tick's number with no more digits than the step between ticks needs.
std::string tick_text(double value, double step) {
  const double exponent = std::floor(std::log10(step) + 1e-9);
  if (exponent < -4 || std::abs(value) >= 1e6) return html::number(value);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", std::max(0, -static_cast<int>(exponent)), std::abs(value));
  return (value < -step / 2 ? "\xE2\x88\x92" : "") + std::string(buffer);
}

std::string y_axis(const Scale& x, const Scale& y, const std::string& label) {
  const auto steps = ticks(y.data.low, y.data.high, 5);
  std::string out;
  for (const double value : steps) {
    out += line(x.begin, y(value), x.end, y(value), "grid");
    out += text_at(x.begin - 6, y(value) + 4, "tick end", tick_text(value, steps[1] - steps[0]));
  }
  const double middle = (y.begin + y.end) / 2;
  return out + "<text class=\"axis middle\" transform=\"translate(" + at(12, middle) + ") rotate(-90)\">" +
         html::escape(label) + "</text>";
}

std::string x_axis(const Scale& x, double bottom, const std::string& label) {
  const auto steps = ticks(x.data.low, x.data.high, 6);
  std::string out = line(x.begin, bottom, x.end, bottom, "frame");
  for (const double value : steps) {
    out += line(x(value), bottom, x(value), bottom + 4, "frame");
    out += text_at(x(value), bottom + 16, "tick middle", tick_text(value, steps[1] - steps[0]));
  }
  return out + text_at((x.begin + x.end) / 2, bottom + 33, "axis middle", label);
}

// Calls `run(begin, end)` for each longest stretch of finite points.
void for_each_stretch(const std::vector<Point>& points, const std::function<void(size_t, size_t)>& run) {
  for (size_t begin = 0; begin < points.size();) {
    if (!is_finite(points[begin])) {
      ++begin;
      continue;
    }
    size_t end = begin;
    while (end < points.size() && is_finite(points[end])) ++end;
    run(begin, end);
    begin = end;
  }
}

bool has_band(const Point& point) {
  return point.band && std::isfinite(point.band->low) && std::isfinite(point.band->high);
}

std::string band_of(const Series& series, const Frame& frame) {
  std::string out;
  for_each_stretch(series.points, [&](size_t begin, size_t end) {
    std::string upper, lower;
    for (size_t i = begin; i < end; ++i) {
      const Point& point = series.points[i];
      if (!has_band(point)) continue;
      upper += (upper.empty() ? "M" : "L") + at(frame.x(point.x), frame.y(point.band->high));
      lower = "L" + at(frame.x(point.x), frame.y(point.band->low)) + lower;
    }
    if (!upper.empty())
      out += "<path class=\"band " + style_class(series.style) + "\" d=\"" + upper + lower + "Z\"/>";
  });
  return out;
}

// A point's label above it; at the plot's sides it leans inward, so that nothing is cut or lies on the axis.
std::string label_of(const Point& point, const Frame& frame) {
  constexpr double kRoom = 24;
  const double x = frame.x(point.x), y = frame.y(point.y) - 8;
  if (x < frame.x.begin + kRoom) return text_at(x + 3, y, "note", point.label);
  return text_at(x, y, x > frame.x.end - kRoom ? "note end" : "note middle", point.label);
}

std::string path_of(const Series& series, const Frame& frame) {
  const std::string classes = style_class(series.style);
  std::string out;
  for_each_stretch(series.points, [&](size_t begin, size_t end) {
    std::string path;
    for (size_t i = begin; i < end; ++i) {
      const double x = frame.x(series.points[i].x), y = frame.y(series.points[i].y);
      path += (i == begin ? "M" : "L") + at(x, y);
      if (series.markers || end - begin == 1) out += dot(x, y, 2.6, "dot " + classes);
      if (!series.points[i].label.empty()) out += label_of(series.points[i], frame);
    }
    if (end - begin > 1) out = "<path class=\"line " + classes + "\" d=\"" + path + "\"/>" + out;
  });
  return out;
}

// A sample of a line and its name; the entries flow into as many rows as they need.
struct Legend {
  std::string drawn;
  double height = 0;
};

Legend legend_of(const LinePlot& plot) {
  Legend legend;
  if (plot.series.size() + plot.levels.size() < 2) return legend;
  double x = kLeft, y = kTop + 4;
  const auto add = [&](const std::string& name, const std::string& classes) {
    const double width = 30 + kCharacter * static_cast<double>(name.size());
    if (x > kLeft && x + width > kWidth) x = kLeft, y += kLegendLine;
    legend.drawn += line(x, y, x + 18, y, classes.c_str()) + text_at(x + 23, y + 4, "tick", name);
    x += width + 8;
  };
  for (const auto& series : plot.series) add(series.name, "line " + style_class(series.style));
  for (const auto& level : plot.levels) add(level.name, "level");
  legend.height = y - kTop + kLegendLine;
  return legend;
}

std::vector<double> all_y(const LinePlot& plot) {
  std::vector<double> values;
  for (const auto& series : plot.series) {
    for (const auto& point : series.points) {
      if (!is_finite(point)) continue;
      values.push_back(point.y);
      if (has_band(point)) values.push_back(point.band->low), values.push_back(point.band->high);
    }
  }
  if (values.empty()) return values;
  for (const auto& level : plot.levels) values.push_back(level.y);
  if (plot.from_zero) values.push_back(0);
  return values;
}

std::vector<double> all_x(const LinePlot& plot) {
  std::vector<double> values;
  for (const auto& series : plot.series) {
    for (const auto& point : series.points) {
      if (is_finite(point)) values.push_back(point.x);
    }
  }
  return values;
}

}  // namespace

std::vector<double> ticks(double low, double high, int count) {
  const double rough = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double mantissa = rough / power;
  // the nearest of 1, 2, 5 and 10 on a logarithmic scale: the bounds are √2, √10 and √50
  const double step = (mantissa < 1.41 ? 1 : mantissa < 3.16 ? 2 : mantissa < 7.07 ? 5 : 10) * power;
  std::vector<double> values;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i)
    values.push_back(i * step);
  if (values.size() < 2) return {low, high};
  return values;
}

std::string line_plot(const LinePlot& plot) {
  const auto values = all_y(plot);
  if (values.empty())
    return "<p class=\"absent\">" + html::escape(plot.title) + ": no finite value was recorded.</p>";
  const Legend legend = legend_of(plot);
  const double top = kTop + legend.height, bottom = kHeight - kBottom;
  const Frame frame{{range_of(all_x(plot)), kLeft, kWidth - kRight},
                    {with_room(range_of(values)), bottom, top}};
  std::string out = opened(plot.title, kHeight) + y_axis(frame.x, frame.y, plot.y_label);
  out += x_axis(frame.x, bottom, plot.x_label);
  for (const auto& level : plot.levels) {
    out += line(frame.x.begin, frame.y(level.y), frame.x.end, frame.y(level.y), "level");
  }
  for (const auto& series : plot.series) out += band_of(series, frame);
  for (const auto& series : plot.series) out += path_of(series, frame);
  return out + legend.drawn + "</svg>";
}

std::string forest_plot(const ForestPlot& plot) {
  constexpr double kRow = 40;
  const double bottom = kTop + kRow * static_cast<double>(plot.rows.size());
  const Scale x{{plot.low, plot.high}, 12, kWidth - 12};
  std::string out = opened(plot.title, bottom + kBottom) + x_axis(x, bottom, plot.x_label);
  if (plot.reference) out += line(x(*plot.reference), kTop, x(*plot.reference), bottom, "level");
  for (size_t i = 0; i < plot.rows.size(); ++i) {
    const Row& row = plot.rows[i];
    const double y = kTop + kRow * static_cast<double>(i) + 28;
    out += text_at(12, y - 13, "row", row.name) + text_at(kWidth - 12, y - 13, "tick end", row.text);
    const double low = std::clamp(row.interval.low, plot.low, plot.high);
    const double high = std::clamp(row.interval.high, plot.low, plot.high);
    const std::string classes = "line solid " + style_class(row.style);
    out += line(x(low), y, x(high), y, classes.c_str());
    out += dot(x(std::clamp(row.value, plot.low, plot.high)), y, 4.5, "dot " + style_class(row.style));
  }
  return out + "</svg>";
}

std::string reliability_plot(const Calibration& calibration, const std::string& title) {
  if (calibration.count == 0)
    return "<p class=\"absent\">" + html::escape(title) + ": no pair was measured.</p>";
  const double lowest = calibration.bins.front().low, bottom = kHeight - kBottom;
  const Frame frame{{{lowest, 1}, kLeft, kWidth - kRight}, {{0, 1}, bottom, kTop}};
  std::string out = opened(title, kHeight) + y_axis(frame.x, frame.y, "observed share");
  out += x_axis(frame.x, bottom, "predicted probability");
  out += line(frame.x(lowest), frame.y(lowest), frame.x(1), frame.y(1), "level");
  int64_t most = 1;
  for (const auto& bin : calibration.bins) most = std::max(most, bin.count);
  for (const auto& bin : calibration.bins) {
    if (bin.count == 0) continue;
    const double left = frame.x(bin.low) + 1, right = frame.x(bin.high) - 1,
                 x = frame.x(bin.mean_probability);
    const double tall =
        34.0 * static_cast<double>(bin.count) / static_cast<double>(most);  // bars stay in the lower fifth
    out += "<rect class=\"bar\"" + attribute("x", left) + attribute("y", bottom - tall) +
           attribute("width", right - left) + attribute("height", tall) + "/>";
    out += text_at((left + right) / 2, bottom - tall - 3, "note middle", html::number(bin.count));
    out += line(x, frame.y(bin.interval.low), x, frame.y(bin.interval.high), "line solid s0");
    out += dot(x, frame.y(bin.frequency), 3.6, "dot s0");
  }
  return out + "</svg>";
}

}  // namespace keel::svg
