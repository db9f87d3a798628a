// Plots as inline SVG, drawn here so that a report is one file without scripts. Colours come from the page's
// style (classes s0, s1, ...: colour and dash of a series), so light, dark and print share one drawing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "keel/statistics/calibration.h"
#include "keel/statistics/intervals.h"

namespace keel::svg {

struct Point {
  double x = 0, y = 0;
  std::optional<Interval> band = std::nullopt;  // uncertainty of y, drawn around the line
  std::string label = {};                       // written beside the point
};

/// One line. Points with a coordinate that is not finite break it.
struct Series {
  std::string name;
  std::vector<Point> points;
  int style = 0;         // 0 to 4, a colour and dash of the page's style
  bool markers = false;  // a dot on every point
};

/// A horizontal line to compare with.
struct Level {
  std::string name;
  double y = 0;
};

struct LinePlot {
  std::string title;
  std::string x_label, y_label;
  std::vector<Series> series;
  std::vector<Level> levels = {};
  bool from_zero = false;  // the y axis starts at zero
};

/// Axes with round ticks, lines, bands, levels, and a legend when there is more than one name. Titles, labels
/// and names are escaped here. A plot without a finite point is a sentence that says so.
std::string line_plot(const LinePlot& plot);

/// A row of a forest plot: an estimate and its interval.
struct Row {
  std::string name;
  std::string text;  // the numbers, written at the right
  double value = 0;
  Interval interval;
  int style = 0;
};

struct ForestPlot {
  std::string title;
  std::string x_label;
  std::vector<Row> rows;
  double low = 0, high = 1;                        // ends of the x axis
  std::optional<double> reference = std::nullopt;  // a vertical line: no difference
};

std::string forest_plot(const ForestPlot& plot);

/// Predicted probability against observed frequency with Wilson intervals, the diagonal, and each bin's count
/// as bars.
std::string reliability_plot(const Calibration& calibration, const std::string& title);

/// Round numbers (1, 2 or 5 times a power of ten) that cover [low, high] in about `count` steps.
std::vector<double> ticks(double low, double high, int count);

}  // namespace keel::svg
