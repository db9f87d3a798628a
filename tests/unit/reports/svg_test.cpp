#include "keel/reports/svg.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>

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

// Reads the drawing back: y must fall as the value rises, in proportion.
TEST(Svg, PointsLieWhereTheAxesSay) {
  const std::string drawn = line_plot({"t", "x", "y", {{"a", {{0, 0}, {5, 5}, {10, 10}}}}});
  std::smatch path;
  const std::regex shape(
      "class=\"line s0\" d=\"M([0-9.]+) ([0-9.]+)L([0-9.]+) ([0-9.]+)L([0-9.]+) ([0-9.]+)\"");
  ASSERT_TRUE(std::regex_search(drawn, path, shape)) << drawn;
  EXPECT_NEAR(std::stod(path[3]), (std::stod(path[1]) + std::stod(path[5])) / 2, 0.1);
  EXPECT_NEAR(std::stod(path[4]), (std::stod(path[2]) + std::stod(path[6])) / 2, 0.1);
  EXPECT_GT(std::stod(path[2]), std::stod(path[6]) + 100);
  // the tick labelled 4 lies on the same height as the value 4 would
  const std::regex tick("class=\"tick end\" x=\"[0-9.]+\" y=\"([0-9.]+)\">4<");
  std::smatch label;
  ASSERT_TRUE(std::regex_search(drawn, label, tick)) << drawn;
  const double y4 = std::stod(path[2]) + 0.4 * (std::stod(path[6]) - std::stod(path[2]));
  EXPECT_NEAR(std::stod(label[1]) - 4, y4, 0.2);  // text stands 4 units below its line
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
