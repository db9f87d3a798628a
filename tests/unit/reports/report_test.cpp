#include "keel/reports/report.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/reports/html.h"
#include "reports/example.h"

namespace keel {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The row of a table that begins with this cell.
std::string row_of(const std::string& page, const std::string& first) {
  const size_t begin = page.find("<tr><td>" + first + "</td>");
  return begin == std::string::npos ? "" : page.substr(begin, page.find("</tr>", begin) - begin);
}

TEST(Report, AsksForNothingOutsideItself) {
  std::string page = render_report(example_report());
  const std::string xmlns = "xmlns=\"http://www.w3.org/2000/svg\"";
  for (size_t at = page.find(xmlns); at != std::string::npos; at = page.find(xmlns))
    page.erase(at, xmlns.size());
  for (const char* foreign :
       {"http:", "https:", "//", "src=", "@import", "url(", "<script", "<link", "<iframe", "javascript:"}) {
    EXPECT_FALSE(contains(page, foreign)) << foreign;
  }
  EXPECT_TRUE(contains(page, "default-src 'none'"));
}

TEST(Report, TextOfModelsAndFilesIsShownAndNeverObeyed) {
  const std::string evil = "<script src=//x>alert(1)</script>\"'><img onerror=x>\xff";
  ReportData data = example_report();
  data.title = data.made_at = data.gold_judge = data.sample_choice = evil;
  data.limits = {evil};
  data.facts = {{evil, evil}};
  data.curves[0].name = data.curves[0].unit = data.curves[0].note = evil;
  data.arms[0].name = data.duels[0].first = data.duels[0].second = evil;
  data.ppo_frontier[0].label = data.best_of_n_frontier[0].label = evil;
  data.reward_model->accuracies[0].name = evil;
  data.samples[0].prompt = data.samples[0].answers[0].text = data.samples[0].answers[0].arm = evil;
  data.stages[0].name = evil;
  data.stages[0].options = {{evil, evil}};
  data.stages[0].hashes = {{evil, evil}};
  const std::string page = render_report(data);
  EXPECT_FALSE(contains(page, "<script"));
  EXPECT_FALSE(contains(page, "<img"));
  EXPECT_FALSE(contains(page, "\"'>"));
  EXPECT_FALSE(contains(page, "\xff"));
  EXPECT_TRUE(contains(page, html::escape(evil)));
  EXPECT_TRUE(contains(json_text(report_data_json(data)), "alert(1)"));
}

TEST(Report, PartsComeInTheirOrder) {
  const std::string page = render_report(example_report());
  size_t last = 0;
  for (const char* part :
       {"<h1 class=\"verdict improved\">", ">PPO, step by step<", ">Reward against √KL<",
        ">The reward model on held-out pairs<", ">Base, SFT, best-of-n and PPO, by the gold judge<",
        ">Samples, before and after<", ">What this run does not show<", ">How it was made<"}) {
    const size_t at = page.find(part);
    ASSERT_NE(at, std::string::npos) << part;
    EXPECT_GT(at, last) << part;
    last = at;
  }
}

TEST(Report, EveryMeasureStandsWithItsIntervalAndCount) {
  const ReportData data = example_report();
  const std::string page = render_report(data);
  for (const auto& arm : data.arms) {
    const std::string row = row_of(page, arm.name);
    EXPECT_TRUE(contains(row, html::with_interval(arm.gold))) << arm.name;
    EXPECT_TRUE(contains(row, html::with_interval(*arm.proxy))) << arm.name;
    EXPECT_TRUE(contains(row, ">" + html::number(arm.gold.count) + "<")) << arm.name;
  }
  for (const auto& duel : data.duels) {
    const Estimate& rate = duel.result.rate;
    EXPECT_TRUE(contains(page, html::percent_with_interval(rate.value, rate.interval))) << duel.first;
    const std::string row = row_of(page, duel.first + " / " + duel.second);
    for (const int64_t count : {duel.result.wins, duel.result.ties, duel.result.losses, rate.count}) {
      EXPECT_TRUE(contains(row, ">" + std::to_string(count) + "<")) << row;
    }
  }
  for (const auto& accuracy : data.reward_model->accuracies) {
    const double share = static_cast<double>(accuracy.right) / static_cast<double>(accuracy.pairs);
    const std::string row = row_of(page, accuracy.name);
    EXPECT_TRUE(contains(row, html::percent_with_interval(share, wilson(accuracy.right, accuracy.pairs))))
        << row;
    EXPECT_TRUE(contains(row, html::number(accuracy.right) + " of " + html::number(accuracy.pairs))) << row;
  }
  EXPECT_TRUE(contains(page, html::number(data.reward_model->calibration->expected_error)));
  EXPECT_TRUE(contains(page, "each over 900 held-out pairs"));
  for (const auto& point : data.best_of_n_frontier) {
    const std::string row = row_of(page, "best-of-n, " + point.label);
    EXPECT_TRUE(contains(row, html::number(point.kl))) << row;
    EXPECT_TRUE(contains(row, html::with_interval(*point.gold))) << row;
  }
  for (const auto& curve : data.curves) {
    const double first = curve.values.front(), last = curve.values.back(), error = curve.errors.back();
    const double scale = std::max(std::abs(first), std::abs(last));
    EXPECT_TRUE(contains(page, "60 steps; first " + html::number(first, scale) + ", last " +
                                   html::number(last, scale) + " ± " + html::number(error, scale)));
  }
}

TEST(Report, JsonHoldsEveryNumberUnrounded) {
  const ReportData data = example_report();
  const Json json = parse_json(json_text(report_data_json(data)), "test");
  EXPECT_EQ(json["verdict"]["outcome"], "improved");
  EXPECT_EQ(json["verdict"]["gold_difference"]["interval"][0].get<double>(),
            data.comparison->gold_difference.interval.low);
  EXPECT_EQ(json["curves"][1]["values"].get<std::vector<double>>(), data.curves[1].values);
  EXPECT_EQ(json["curves"][0]["start"].get<double>(), 0.08);
  EXPECT_TRUE(json["curves"][1]["start"].is_null());
  EXPECT_EQ(json["arms"][3]["gold"]["value"].get<double>(), data.arms[3].gold.value);
  EXPECT_EQ(json["duels"][2]["wins"].get<int64_t>(), data.duels[2].result.wins);
  EXPECT_EQ(json["duels"][2]["ties"].get<int64_t>(), data.duels[2].result.ties);
  EXPECT_EQ(json["duels"][2]["losses"].get<int64_t>(), data.duels[2].result.losses);
  EXPECT_EQ(json["reward_model"]["calibration"]["brier"].get<double>(),
            data.reward_model->calibration->brier);
  EXPECT_EQ(json["reward_model"]["calibration"]["bins"].size(), 10u);
  EXPECT_EQ(json["ppo_frontier"][6]["kl"].get<double>(), data.ppo_frontier[6].kl);
  EXPECT_EQ(json["samples"][1]["answers"][0]["finished"], false);
  EXPECT_EQ(json["stages"][3]["options"]["kl_coef"].get<double>(), 0.05);
}

TEST(Report, WhatIsMissingIsSaidAndNotDrawn) {
  const std::string page = render_report({});
  EXPECT_FALSE(contains(page, "<svg"));
  EXPECT_FALSE(contains(page, "<table>"));
  for (const char* said :
       {"This run has no verdict", "Not recorded in this run: Reward, KL to the frozen reference, Value loss",
        "Win rates were not measured", "No samples were kept", "No stage was recorded"}) {
    EXPECT_TRUE(contains(page, said)) << said;
  }
  ReportData partly = example_report();
  partly.curves.erase(partly.curves.begin() + 2);
  partly.best_of_n_frontier.clear();
  partly.reward_model->calibration.reset();
  const std::string half = render_report(partly);
  EXPECT_TRUE(contains(half, "Not recorded in this run: Value loss."));
  EXPECT_TRUE(contains(half, "Best-of-n was not measured in this run."));
  EXPECT_TRUE(contains(half, "Its calibration was not measured in this run."));
}

TEST(Report, LimitsFollowFromTheData) {
  ReportData data = example_report();
  const auto says = [&](const char* words) { return contains(render_report(data), words); };
  EXPECT_TRUE(says("One seed stands behind it"));
  EXPECT_TRUE(says("simulated annotators"));
  EXPECT_FALSE(says("shuffled on purpose"));
  data.seeds = 5, data.simulated_labels = false, data.permuted_labels = true;
  EXPECT_TRUE(says("rests on 5 seeds"));
  EXPECT_FALSE(says("simulated annotators"));
  EXPECT_TRUE(says("shuffled on purpose"));
}

// To look at it: KEEL_EXAMPLE_REPORT=/tmp/report.html keel_plain_tests
// --gtest_filter=Report.IsAFunctionOfItsData
TEST(Report, IsAFunctionOfItsData) {
  const std::string page = render_report(example_report());
  EXPECT_EQ(page, render_report(example_report()));
  if (const char* path = std::getenv("KEEL_EXAMPLE_REPORT")) write_file_atomically(path, page);
  ReportData broken = example_report();
  broken.curves[0].steps.pop_back();
  EXPECT_THROW(render_report(broken), Error);
  broken = example_report();
  broken.curves[0].errors.pop_back();
  EXPECT_THROW(render_report(broken), Error);
}

}  // namespace
}  // namespace keel
