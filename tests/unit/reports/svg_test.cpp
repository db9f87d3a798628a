#include "keel/reports/svg.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

namespace keel::svg {
namespace {

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Svg, TicksAreRoundAndCoverTheRange) {
  const auto near = [](const std::vector<double>& got, const std::vector<double>& expected) {
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-9);
  };
  near(ticks(0, 1, 5), {0, 0.2, 0.4, 0.6, 0.8, 1});
  near(ticks(-3.2, 4.1, 5), {-2, 0, 2, 4});
  near(ticks(1, 60, 6), {10, 20, 30, 40, 50, 60});
  near(ticks(0.0012, 0.0048, 5), {0.002, 0.003, 0.004});
}

// The y of the tick that carries this text; it stands 4 units below its line.
double tick_height(const std::string& drawn, const std::string& text) {
  const size_t end = drawn.find(">" + text + "</text>");
  if (end == std::string::npos) return std::nan("");
  return std::stod(drawn.substr(drawn.rfind(" y=\"", end) + 4)) - 4;
}

// Reads the drawing back: points and ticks must agree about where a value lies.
TEST(Svg, PointsLieWhereTheAxesSay) {
  const std::string drawn = line_plot({"t", "x", "y", {{"a", {{0, 0}, {5, 5}, {10, 10}}}}});
  const size_t path = drawn.find("class=\"line s0\" d=\"M");
  ASSERT_NE(path, std::string::npos) << drawn;
  double x[3], y[3];
  ASSERT_EQ(std::sscanf(drawn.c_str() + path, "class=\"line s0\" d=\"M%lf %lfL%lf %lfL%lf %lf", &x[0], &y[0],
                        &x[1], &y[1], &x[2], &y[2]),
            6)
      << drawn;
  EXPECT_NEAR(x[1], (x[0] + x[2]) / 2, 0.1);
  EXPECT_NEAR(y[1], (y[0] + y[2]) / 2, 0.1);
  EXPECT_GT(x[2], x[0] + 100);
  EXPECT_GT(y[0], y[2] + 100);  // up is less
  EXPECT_NEAR(tick_height(drawn, "4"), y[0] + 0.4 * (y[2] - y[0]), 0.2);
}

// Whether the text's element has this class.
bool has_class(const std::string& drawn, const std::string& text, const std::string& name) {
  const size_t end = drawn.find(">" + text + "</text>");
  if (end == std::string::npos) return false;
  const std::string element = drawn.substr(drawn.rfind("<text", end), end - drawn.rfind("<text", end));
  return element.find("class=\"" + name + "\"") != std::string::npos;
}

TEST(Svg, LabelsAtTheSidesLeanInward) {
  Series series{"a", {{0, 0}, {5, 5}, {10, 10}}};
  const char* labels[] = {"left", "centre", "right"};
  for (size_t i = 0; i < 3; ++i) series.points[i].label = labels[i];
  const std::string drawn = line_plot({"t", "x", "y", {series}});
  EXPECT_TRUE(has_class(drawn, "left", "note")) << drawn;
  EXPECT_TRUE(has_class(drawn, "centre", "note middle")) << drawn;
  EXPECT_TRUE(has_class(drawn, "right", "note end")) << drawn;
}

TEST(Svg, WhatIsNotFiniteBreaksTheLineAndIsNotDrawn) {
  const double nan = std::nan("");
  const std::string drawn = line_plot({"t", "x", "y", {{"a", {{0, 1}, {1, 2}, {2, nan}, {3, 3}, {4, 4}}}}});
  EXPECT_EQ(count(drawn, "<path class=\"line s0\""), 2);
  EXPECT_EQ(drawn.find("nan"), std::string::npos);
  EXPECT_EQ(drawn.find("inf"), std::string::npos);
  const std::string nothing = line_plot({"t<", "x", "y", {{"a", {{0, nan}}}}});
  EXPECT_EQ(nothing.find("<svg"), std::string::npos);
  EXPECT_NE(nothing.find("t&lt;: no finite value"), std::string::npos);
}

TEST(Svg, DrawsConstantsSinglePointsAndInfiniteIntervals) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double value : {0.0, 5.0, -1e-9, 1e9}) {
    const std::string drawn =
        line_plot({"t", "x", "y", {{"a", {{3, value, Interval{-infinity, infinity}}}}}});
    EXPECT_EQ(count(drawn, "<circle"), 1) << value;
    EXPECT_EQ(drawn.find("nan"), std::string::npos) << drawn;
    EXPECT_EQ(drawn.find("inf"), std::string::npos) << drawn;
  }
  const std::string forest =
      forest_plot({"t", "x", {{"row", "text", 0.5, {-infinity, infinity}}}, 0, 1, 0.5});
  EXPECT_EQ(forest.find("inf"), std::string::npos) << forest;
}

TEST(Svg, BandsLevelsAndLegendAppearWhenThereAreAny) {
  LinePlot plot{"t", "x", "y", {{"a<b", {{0, 0, Interval{-1, 1}}, {1, 1, Interval{0, 2}}}}}};
  EXPECT_EQ(count(line_plot(plot), "class=\"band s0\""), 1);
  EXPECT_EQ(count(line_plot(plot), "a&lt;b"), 0);  // one name needs no legend
  plot.levels.push_back({"SFT", 0.5});
  EXPECT_EQ(count(line_plot(plot), "a&lt;b"), 1);
  EXPECT_EQ(count(line_plot(plot), ">SFT<"), 1);
  EXPECT_EQ(count(line_plot(plot), "class=\"level\""), 2);  // in the plot and in the legend
}

TEST(Svg, ReliabilityShowsEveryFilledBinAndItsCount) {
  const std::vector<Prediction> predictions = {{0.55, true}, {0.55, false}, {0.95, true}};
  const std::string drawn = reliability_plot(calibration(predictions, 5, 0.5), "t");
  EXPECT_EQ(count(drawn, "<circle"), 2);
  EXPECT_EQ(count(drawn, "class=\"bar\""), 2);
  EXPECT_NE(drawn.find(">2<"), std::string::npos);
  EXPECT_EQ(reliability_plot({}, "t").find("<svg"), std::string::npos);
}

}  // namespace
}  // namespace keel::svg
