#include "keel/reports/sections.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "keel/reports/html.h"
#include "keel/reports/svg.h"

namespace keel {
namespace {

using html::escape;
using html::number;

std::string paragraph(const std::string& text, const char* classes = "") {
  const std::string mark = *classes == 0 ? "" : " class=\"" + std::string(classes) + "\"";
  return "<p" + mark + ">" + escape(text) + "</p>\n";
}

std::string heading(const std::string& text) {
  return "<h2>" + escape(text) + "</h2>\n";
}

std::string absent(const std::string& text) {
  return paragraph(text, "absent");
}

std::string figure(const std::string& title, const std::string& drawing, const std::string& caption) {
  return "<figure>\n<h3>" + escape(title) + "</h3>\n" + drawing + "\n<figcaption>" + escape(caption) +
         "</figcaption>\n</figure>\n";
}

// A row of escaped cells; the first column is text, the others numbers.
std::string row(const std::vector<std::string>& cells, const char* tag = "td") {
  std::string out = "<tr>";
  for (const auto& cell : cells) out += "<" + std::string(tag) + ">" + escape(cell) + "</" + tag + ">";
  return out + "</tr>\n";
}

std::string table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows) {
  std::string out = "<div class=\"wide\"><table>\n<thead>" + row(head, "th") + "</thead>\n<tbody>\n";
  for (const auto& cells : rows) out += row(cells);
  return out + "</tbody>\n</table></div>\n";
}

std::string or_dash(const std::optional<Estimate>& estimate) {
  return estimate ? html::with_interval(*estimate) : "–";
}

// Colours keep their meaning in the whole report: PPO 0, best-of-n 1, the base 2, SFT 3.
int style_of(const std::string& arm) {
  if (arm == "PPO") return 0;
  if (arm.starts_with("best-of")) return 1;
  if (arm == "base") return 2;
  return arm == "SFT" ? 3 : 4;
}

std::string title_of(const std::string& curve) {
  static const std::map<std::string, std::string> titles = {{"reward", "Reward"},
                                                            {"kl", "KL to the frozen reference"},
                                                            {"value_loss", "Value loss"},
                                                            {"entropy", "Entropy"},
                                                            {"response_length", "Response length"}};
  const auto found = titles.find(curve);
  return found == titles.end() ? curve : found->second;
}

svg::Series series_of(const Curve& curve) {
  constexpr double kTwoSided95 = 1.959964;
  svg::Series series{.name = title_of(curve.name), .points = {}};
  for (size_t i = 0; i < curve.steps.size(); ++i) {
    svg::Point point{curve.steps[i], curve.values[i]};
    if (!curve.errors.empty()) {
      const double half = kTwoSided95 * curve.errors[i];
      point.band = Interval{point.y - half, point.y + half};
    }
    series.points.push_back(point);
  }
  return series;
}

std::string caption_of(const Curve& curve) {
  const double first = curve.values.front(), last = curve.values.back();
  const double scale = std::max(std::abs(first), std::abs(last));
  std::string text = number(static_cast<int64_t>(curve.values.size())) + " steps; first " +
                     number(first, scale) + ", last " + number(last, scale);
  if (!curve.errors.empty()) {
    text += " ± " + number(curve.errors.back(), scale) + " (standard error; the band is 95 %)";
  }
  text += ".";
  if (curve.start) text += " Before PPO: " + number(*curve.start, scale) + ".";
  return curve.note.empty() ? text : curve.note + " " + text;
}

std::string curve_figure(const Curve& curve) {
  svg::LinePlot plot{title_of(curve.name), "PPO step", curve.unit, {series_of(curve)}};
  if (curve.start) plot.levels.push_back({"before PPO", *curve.start});
  return figure(plot.title, svg::line_plot(plot), caption_of(curve));
}

std::string missing_curves(const ReportData& data) {
  std::string names;
  for (const char* expected : kExpectedCurves) {
    const bool there = std::any_of(data.curves.begin(), data.curves.end(), [&](const Curve& curve) {
      return curve.name == expected && !curve.values.empty();
    });
    if (!there) names += (names.empty() ? "" : ", ") + title_of(expected);
  }
  return names;
}

// The points that have the score `of` names, on axes of √KL.
svg::Series frontier_series(const std::vector<FrontierPoint>& points, const char* name, int style,
                            bool gold) {
  svg::Series series{.name = name, .points = {}, .style = style, .markers = true};
  for (size_t i = 0; i < points.size(); ++i) {
    const auto& score = gold ? points[i].gold : std::optional<Estimate>(points[i].proxy);
    if (!score) continue;
    // A KL estimated from samples may be a little below zero: the root is of what is left.
    svg::Point point{std::sqrt(std::max(0.0, points[i].kl)), score->value, score->interval};
    if (style == 1) point.label = points[i].label;
    series.points.push_back(point);
  }
  std::stable_sort(series.points.begin(), series.points.end(),
                   [](const svg::Point& a, const svg::Point& b) { return a.x < b.x; });
  return series;
}

std::string frontier_figure(const ReportData& data, bool gold) {
  svg::LinePlot plot{gold ? "By the gold judge" : "By the reward model",
                     "√KL (KL in nats)",
                     gold ? "gold score" : "reward model's score",
                     {}};
  auto ppo = frontier_series(data.ppo_frontier, "PPO", 0, gold);
  auto best = frontier_series(data.best_of_n_frontier, "best-of-n", 1, gold);
  for (auto* series : {&ppo, &best}) {
    if (!series->points.empty()) plot.series.push_back(std::move(*series));
  }
  return figure(
      plot.title, svg::line_plot(plot),
      gold ? "The judge that PPO never sees. Where it falls while the other rises, the reward is being gamed."
           : "What PPO was trained on. Bands are 95 % intervals.");
}

std::string frontier_table(const ReportData& data) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const std::vector<FrontierPoint>& points, const std::string& name) {
    for (const auto& point : points) {
      rows.push_back({name + ", " + point.label, number(point.kl), html::with_interval(point.proxy),
                      or_dash(point.gold), number(point.proxy.count)});
    }
  };
  add(data.ppo_frontier, "PPO");
  add(data.best_of_n_frontier, "best-of-n");
  return "<details><summary>The numbers</summary>\n" +
         table({"Point", "KL, nats", "Reward model (95 %)", "Gold judge (95 %)", "Prompts"}, rows) +
         "</details>\n";
}

std::string accuracy_rows(const std::vector<Accuracy>& accuracies, const std::string& heading) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& accuracy : accuracies) {
    const Interval interval = wilson(accuracy.right, accuracy.pairs);
    const double share = accuracy.pairs == 0
                             ? std::nan("")
                             : static_cast<double>(accuracy.right) / static_cast<double>(accuracy.pairs);
    rows.push_back({accuracy.name, html::percent_with_interval(share, interval),
                    number(accuracy.right) + " of " + number(accuracy.pairs)});
  }
  return table({heading, "Right (95 %)", "Pairs"}, rows);
}

std::string length_part(const LengthBias& length) {
  std::string out = paragraph(
      "Of pairs that differ in length: does the reward say more than length does? Reward and length "
      "correlate " +
      (length.correlation ? "by " + number(*length.correlation) : std::string("not measurably")) +
      " within prompts; the model is right in " +
      html::percent_with_interval(length.gain.value, length.gain.interval) +
      " more of them than the better of the two rules.");
  if (!length.warning.empty()) out += paragraph("Warning: " + length.warning + ".");
  return out + accuracy_rows({length.model, length.shorter, length.longer}, "Pairs of unequal length");
}

std::string calibration_figure(const Calibration& calibration) {
  const std::string n = number(calibration.count);
  return "<div class=\"grid\">" +
         figure("Calibration", svg::reliability_plot(calibration, "Calibration of the reward model"),
                "How often the completion with the higher reward was preferred, against how sure the reward "
                "model was. "
                "On the dashed line its word can be taken; whiskers are 95 % intervals, bars count pairs. "
                "Expected "
                "calibration error " +
                    number(calibration.expected_error) + ", log loss " + number(calibration.log_loss) +
                    " nats, Brier score " + number(calibration.brier) + ", each over " + n +
                    " held-out pairs. A coin's log loss is 0.693.") +
         "</div>\n";
}

std::string arms_table(const std::vector<Arm>& arms) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& arm : arms) {
    const double share = arm.answers == 0
                             ? std::nan("")
                             : static_cast<double>(arm.finished) / static_cast<double>(arm.answers);
    rows.push_back({arm.name, html::with_interval(arm.gold), number(arm.gold.count), or_dash(arm.proxy),
                    or_dash(arm.length), html::percent(share) + " of " + number(arm.answers),
                    arm.distinct_2 ? number(*arm.distinct_2) : "–"});
  }
  return table({"Model", "Gold score (95 %)", "Prompts", "Reward model (95 %)", "Tokens (95 %)",
                "Ended by itself", "Distinct-2"},
               rows);
}

std::string duels_figure(const std::vector<Duel>& duels) {
  svg::ForestPlot plot{.title = "Win rates by the gold judge",
                       .x_label = "share of prompts won (a tie is half a win)",
                       .rows = {},
                       .low = 0,
                       .high = 1,
                       .reference = 0.5};
  for (const auto& duel : duels) {
    const Estimate& rate = duel.result.rate;
    plot.rows.push_back({duel.first + " against " + duel.second,
                         html::percent_with_interval(rate.value, rate.interval), rate.value, rate.interval,
                         style_of(duel.first)});
  }
  return "<div class=\"grid\">" +
         figure("Win rates", svg::forest_plot(plot),
                "Lines are 95 % intervals over prompts; right of the dashed line the first one is better.");
}

std::string duels_table(const std::vector<Duel>& duels) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& duel : duels) {
    const WinRate& result = duel.result;
    rows.push_back({duel.first + " / " + duel.second, number(result.wins), number(result.ties),
                    number(result.losses), number(result.rate.count)});
  }
  return table({"Duel", "Won", "Tied", "Lost", "Prompts"}, rows);
}

std::string answer_block(const Answer& answer) {
  std::string score = "gold " + number(answer.gold);
  if (answer.proxy) score += " · reward model " + number(*answer.proxy);
  if (!answer.finished) score += " · cut by the length limit";
  // the space that parts an answer from its prompt is no part of what was said
  const std::string text = answer.text.starts_with(' ') ? answer.text.substr(1) : answer.text;
  return "<div><div class=\"arm\">" + escape(answer.arm) + "</div><p class=\"said\">" +
         (text.empty() ? "<em>nothing</em>" : escape(text)) + "</p>" + paragraph(score, "score") + "</div>\n";
}

std::string hash_rows(const StageRecord& stage) {
  std::string out;
  for (const auto& [what, hash] : stage.hashes) {
    out += "<tr><td>" + escape(stage.name) + "</td><td class=\"text\">" + escape(what) +
           "</td><td class=\"text hash\">" + escape(hash) + "</td></tr>\n";
  }
  return out;
}

std::string options_block(const ReportData& data) {
  std::string out = "<details><summary>All options of each stage</summary>\n";
  for (const auto& stage : data.stages) {
    out += "<h3>" + escape(stage.name) + "</h3><pre>" + escape(json_text(stage.options, 2)) + "</pre>\n";
  }
  return out + "</details>\n";
}

}  // namespace

std::string verdict_section(const ReportData& data) {
  const Verdict verdict = judge(data.comparison);
  const std::string when = data.made_at.empty() ? "" : " · " + data.made_at;
  std::string out = "<header>\n" + paragraph(data.title + when, "kicker");
  out += "<h1 class=\"verdict " + std::string(outcome_name(verdict.outcome)) + "\">" +
         escape(verdict.sentence) + "</h1>\n";
  if (!verdict.warning.empty()) out += paragraph(verdict.warning, "warning");
  if (data.permuted_labels) {
    out += paragraph(
        "This is a control run: its labels were shuffled on purpose, so nothing was there to learn.",
        "warning");
  }
  out += paragraph(
      "The sentence follows from a rule fixed before the run: the difference is paired by prompt, and only "
      "an interval wholly above zero counts as an improvement.",
      "soft");
  if (!data.gold_judge.empty()) out += paragraph("The gold judge: " + data.gold_judge, "soft");
  return out + "</header>\n";
}

std::string curves_section(const ReportData& data) {
  std::string out = heading("PPO, step by step"), figures;
  for (const auto& curve : data.curves) {
    if (!curve.values.empty()) figures += curve_figure(curve);
  }
  if (!figures.empty()) out += "<div class=\"grid\">\n" + figures + "</div>\n";
  const std::string missing = missing_curves(data);
  return missing.empty() ? out : out + absent("Not recorded in this run: " + missing + ".");
}

std::string frontier_section(const ReportData& data) {
  std::string out = heading("Reward against √KL");
  if (data.ppo_frontier.empty() && data.best_of_n_frontier.empty()) {
    return out + absent("Not measured in this run.");
  }
  out += paragraph(
      "How much reward each unit of drift from the SFT model buys. Best-of-n samples n answers and keeps the "
      "one that the reward model likes best; its KL is ln n − (n − 1)/n, an upper bound.");
  if (data.ppo_frontier.empty()) out += absent("PPO's path was not measured in this run.");
  if (data.best_of_n_frontier.empty()) out += absent("Best-of-n was not measured in this run.");
  const auto has_gold = [](const FrontierPoint& point) { return point.gold.has_value(); };
  const bool gold = std::any_of(data.ppo_frontier.begin(), data.ppo_frontier.end(), has_gold) ||
                    std::any_of(data.best_of_n_frontier.begin(), data.best_of_n_frontier.end(), has_gold);
  out += "<div class=\"grid\">\n" + frontier_figure(data, false) + (gold ? frontier_figure(data, true) : "") +
         "</div>\n";
  if (!gold) out += absent("The gold judge was not asked along this curve.");
  return out + frontier_table(data);
}

std::string reward_model_section(const ReportData& data) {
  std::string out = heading("The reward model on held-out pairs");
  if (!data.reward_model) return out + absent("Not measured in this run.");
  const RewardModelPart& part = *data.reward_model;
  out += part.accuracies.empty() ? absent("Its accuracy was not measured in this run.")
                                 : accuracy_rows(part.accuracies, "Order of pairs");
  out += part.calibration ? calibration_figure(*part.calibration)
                          : absent("Its calibration was not measured in this run.");
  if (part.length) out += length_part(*part.length);
  if (part.ensemble) out += accuracy_rows(part.ensemble->members, "Members of the ensemble");
  for (const AccuracyTable& grouped : part.tables)
    out += "<details><summary>Accuracy " + escape(grouped.name) + "</summary>\n" +
           accuracy_rows(grouped.groups, "Pairs") + "</details>\n";
  return out;
}

std::string win_rates_section(const ReportData& data) {
  std::string out = heading("Base, SFT, best-of-n and PPO, by the gold judge");
  out += data.arms.empty() ? absent("Mean scores were not measured in this run.") : arms_table(data.arms);
  if (data.duels.empty()) return out + absent("Win rates were not measured in this run.");
  return out + duels_figure(data.duels) + "<div>" + duels_table(data.duels) + "</div></div>\n";
}

std::string samples_section(const ReportData& data) {
  std::string out = heading("Samples, before and after");
  if (data.samples.empty()) return out + absent("No samples were kept in this run.");
  out += paragraph("Chosen by seed, not by score: " +
                   (data.sample_choice.empty() ? "how is not recorded" : data.sample_choice) + ".");
  for (const auto& sample : data.samples) {
    out += "<div class=\"sample\"><div class=\"arm\">Prompt " + number(sample.index) +
           "</div><p class=\"said\">" + escape(sample.prompt) + "</p>\n<div class=\"answers\">\n";
    for (const auto& answer : sample.answers) out += answer_block(answer);
    out += "</div></div>\n";
  }
  return out;
}

std::vector<std::string> limits_of(const ReportData& data) {
  std::vector<std::string> limits = data.limits;
  if (data.simulated_labels) {
    limits.push_back(
        "The rankings come from simulated annotators whose noise is known and who look at nothing but the "
        "gold score. People disagree in other ways; this says nothing about how people would judge.");
  }
  if (data.permuted_labels) limits.push_back("The labels were shuffled on purpose: this run is a control.");
  if (data.seeds <= 1) {
    limits.push_back(
        "One seed stands behind it. The intervals cover the choice of prompts, not the chance of training: "
        "another seed may give another verdict.");
  } else {
    limits.push_back("The verdict rests on " + number(data.seeds) +
                     " seeds; its interval covers prompts, not seeds.");
  }
  if (!data.comparison)
    limits.push_back("PPO and SFT were not compared by the gold judge, so there is no verdict.");
  if (!data.reward_model) limits.push_back("The reward model was not measured on held-out pairs.");
  return limits;
}

std::string limits_section(const ReportData& data) {
  std::string out = heading("What this run does not show") + "<ul>\n";
  for (const auto& limit : limits_of(data)) out += "<li>" + escape(limit) + "</li>\n";
  return out + "</ul>\n";
}

std::string making_section(const ReportData& data) {
  std::string out = heading("How it was made");
  std::vector<std::vector<std::string>> stages;
  double seconds = 0;
  std::string hashes;
  for (const auto& stage : data.stages) {
    stages.push_back({stage.name, html::duration(stage.seconds), std::to_string(stage.seed)});
    seconds += stage.seconds;
    hashes += hash_rows(stage);
  }
  if (stages.empty()) return out + absent("No stage was recorded.");
  stages.push_back({"together", html::duration(seconds), ""});
  out += "<div class=\"grid\"><div>" + table({"Stage", "Time", "Seed"}, stages) +
         "</div>\n<div class=\"wide\"><table>\n";
  for (const auto& [name, value] : data.facts) {
    out += "<tr><td>" + escape(name) + "</td><td class=\"text\">" + escape(value) + "</td></tr>\n";
  }
  out += "</table></div></div>\n" + options_block(data);
  if (hashes.empty()) return out + absent("No hashes were recorded.");
  return out +
         "<details><summary>SHA-256 of what was read and made</summary>\n<div class=\"wide\"><table>\n" +
         hashes + "</table></div></details>\n" +
         paragraph("Every number of this page is in report.json beside it.", "soft");
}

}  // namespace keel
