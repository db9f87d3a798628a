#include "keel/feedback/reliability.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "keel/base/error.h"
#include "keel/feedback/comparison_items.h"
#include "keel/feedback/labels.h"
#include "keel/feedback/leaderboard.h"
#include "keel/statistics/annotator_ability.h"
#include "keel/statistics/exact_tests.h"

namespace keel::feedback {
namespace {

constexpr double kSaysNothing = 0.2;  // of Youden's index
constexpr const char* kUntold = "cannot be told without gold items";

double words_of(const std::string& text) {
  int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    words += !inside && !space;
    inside = !space;
  }
  return static_cast<double>(words);
}

// Everything that the measures take, out of a store's rows.
class Observations {
 public:
  explicit Observations(const std::vector<JudgedRow>& rows) {
    for (const JudgedRow& row : rows) add(row);
  }
  StrictComparisons comparisons;  // all pairs
  StrictComparisons independent;  // one pair of each ranking, for tests that count
  std::vector<ShownChoice> shown;
  std::vector<TimedJudgement> times;

  /// Which text each annotator preferred: 1, the longer one. Those of equal length are left out.
  std::vector<Label> longer() const {
    std::vector<Label> labels;
    for (const Label& label : independent.labels())
      if (const int64_t side = longer_sides_.at(label.item); side != 0)
        labels.push_back({label.annotator, label.item, label.category == side});
    return labels;
  }

 private:
  void add(const JudgedRow& row) {
    const Judgement& judgement = row.judgement;
    if (judgement.type == JudgementType::ranking) {
      comparisons.add(row);
      independent.add_one(row);
      add_lengths(row);
      if (judgement.shown && judgement.ranks.front() != judgement.ranks.back())
        shown.push_back({judgement.annotator, judgement.ranks.front() < judgement.ranks.back()});
    }
    if (!judgement.seconds || !(*judgement.seconds > 0) || row.completions.empty()) return;
    double words = words_of(row.prompt.text);
    for (const Completion& completion : row.completions) words += words_of(completion.passage.text);
    times.push_back({judgement.annotator, words, *judgement.seconds});
  }

  void add_lengths(const JudgedRow& row) {
    for (size_t i = 0; i < row.completions.size(); ++i)
      for (size_t j = i + 1; j < row.completions.size(); ++j) {
        const auto pair = independent.number(row, i, j);
        const size_t first = row.completions[i].passage.text.size(),
                     second = row.completions[j].passage.text.size();
        if (pair) longer_sides_[pair->item] = ((first > second) - (first < second)) * pair->first_is_better;
      }
  }

  std::map<int64_t, int64_t> longer_sides_;  // of an item: 1 or -1; 0: equally long
};

// Everyone who judged, in the order of their numbers in the store.
std::map<int64_t, AnnotatorReport> annotators_of(const std::vector<JudgedRow>& rows) {
  std::map<int64_t, AnnotatorReport> annotators;
  for (const JudgedRow& row : rows) {
    AnnotatorReport& report = annotators[row.judgement.annotator];
    report.annotator = row.annotator, report.id = row.judgement.annotator;
    const auto group = row.annotator.parameters.find("group");
    if (group != row.annotator.parameters.end() && group->is_string()) report.group = *group;
    ++report.judgements;
  }
  return annotators;
}

void add_signs(std::map<int64_t, AnnotatorReport>& annotators, const std::vector<Sign>& signs,
               const std::string& what) {
  for (const Sign& sign : signs) {
    if (sign.corrected >= kLevel) continue;
    const bool of_two = sign.other != sign.annotator;
    const auto evidence = [&](int64_t with) {
      const std::string whom = of_two ? " " + annotators.at(with).annotator.name : "";
      return Evidence{what + whom, sign.count, sign.total, sign.expected, sign.corrected};
    };
    annotators.at(sign.annotator).evidence.push_back(evidence(sign.other));
    if (of_two) annotators.at(sign.other).evidence.push_back(evidence(sign.annotator));
  }
}

// With models that several annotators compared.
void add_abilities(std::map<int64_t, AnnotatorReport>& annotators, const std::vector<JudgedRow>& rows) {
  const ModelBattles battles = model_battles(rows);
  if (battles.battles.empty()) return;
  const AnnotatorAbility fit = annotator_ability(battles.battles);
  for (size_t i = 0; i < fit.annotators.size(); ++i) {
    AnnotatorReport& report = annotators.at(fit.annotators[i]);
    report.ability = fit.ability[i];
    report.ability_interval = fit.intervals[i];
  }
}

// Yes/no labels: how far each annotator is right, and what each makes of a yes and of a no.
Camps add_labels(std::map<int64_t, AnnotatorReport>& annotators, const std::vector<JudgedRow>& rows,
                 const ReliabilityOptions& options) {
  for (const LabelSet& set : label_sets(rows)) {
    if (set.name != "labels") continue;
    Camps camps = annotator_camps(
        set.labels, {.most_hostile = options.most_hostile, .gold = {}, .even_prior = false, .sides = {0, 1}});
    for (const AnnotatorAccuracy& one : camps.annotators)
      annotators.at(one.annotator).labels = LabelAccuracy{.accuracy = one};
    const DawidSkene full = dawid_skene(set.labels, {.smoothing = 1});
    for (size_t i = 0; i < full.annotators.size() && full.categories.size() == 2; ++i) {
      LabelAccuracy& of = *annotators.at(full.annotators[i]).labels;
      of.no_kept = full.confused(i, 0, 0), of.yes_kept = full.confused(i, 1, 1);
      // As likely to say yes of a no as of a yes: however often that is right, it says nothing.
      if (std::abs(of.yes_kept + of.no_kept - 1) < kSaysNothing) of.accuracy.side = Side::chance;
    }
    return camps;
  }
  return {};
}

// How often two labels of an item are equal, with members of one's own group and with others.
struct GroupAgreement {
  TwoGroups counts;  // first: within the group; with: equal
  void add(bool within, bool equal) {
    ++(within ? (equal ? counts.first_with : counts.first_without)
              : (equal ? counts.second_with : counts.second_without));
  }
};

struct GroupAgreements {
  std::map<std::string, GroupAgreement> groups;
  std::map<int64_t, GroupAgreement> annotators;  // that have a group
  std::map<std::string, std::set<int64_t>> items;
};

GroupAgreements group_agreements(const std::vector<Label>& labels,
                                 const std::map<int64_t, AnnotatorReport>& annotators) {
  std::map<int64_t, std::vector<Label>> items;
  for (const Label& label : labels) items[label.item].push_back(label);
  GroupAgreements found;
  for (const auto& [item, given] : items)
    for (const Label& own : given) {
      const std::string& group = annotators.at(own.annotator).group;
      if (group.empty()) continue;
      found.items[group].insert(item);
      for (const Label& other : given) {
        if (other.annotator == own.annotator) continue;
        const bool within = annotators.at(other.annotator).group == group;
        const bool equal = own.category == other.category;
        found.annotators[own.annotator].add(within, equal);
        if (!within || own.annotator < other.annotator) found.groups[group].add(within, equal);
      }
    }
  return found;
}

std::vector<GroupReport> groups_of(const GroupAgreements& found,
                                   const std::map<int64_t, AnnotatorReport>& annotators) {
  std::vector<GroupReport> groups;
  for (const auto& [name, items] : found.items) {
    GroupReport group{.name = name, .items = std::ssize(items)};
    for (const auto& [id, report] : annotators)
      if (report.group == name) ++group.annotators, group.labels += report.accuracy.labels;
    if (const auto agreement = found.groups.find(name); agreement != found.groups.end()) {
      const TwoGroups& counts = agreement->second.counts;
      group.within_equal = counts.first_with, group.within_total = counts.first_with + counts.first_without;
      group.across_equal = counts.second_with;
      group.across_total = counts.second_with + counts.second_without;
      group.p = fisher_two_sided(counts);
    }
    groups.push_back(group);
  }
  return groups;
}

// Whether somebody agrees with their own group more than with others.
bool follows_group(const GroupAgreements& found, int64_t annotator) {
  const auto agreement = found.annotators.find(annotator);
  return agreement != found.annotators.end() && fisher_greater(agreement->second.counts) < kLevel;
}

std::string verdict_of(const AnnotatorReport& report, const Reliability& all, const GroupAgreements& groups) {
  const bool by_labels = report.accuracy.labels == 0 && report.labels;
  const Belief belief = by_labels ? all.label_camps.belief : all.camps.belief;
  switch (by_labels ? report.labels->accuracy.side : report.accuracy.side) {
    case Side::with:
      return belief == Belief::none ? kUntold : "reliable";
    case Side::chance:
      return "no better than a coin";
    case Side::unclear:
      return "too few labels to tell";
    case Side::against:
      break;
  }
  if (follows_group(groups, report.id)) return "differs with its group";
  return belief == Belief::none ? kUntold : "hostile: says the contrary";
}

std::string names_on(const Camps& camps, Side side, const std::map<int64_t, AnnotatorReport>& annotators) {
  std::string names;
  for (const AnnotatorAccuracy& one : camps.annotators)
    if (one.side == side) names += (names.empty() ? "" : ", ") + annotators.at(one.annotator).annotator.name;
  return names;
}

void add_untold(Reliability& report, const std::vector<Sign>& copies,
                const std::map<int64_t, AnnotatorReport>& annotators) {
  for (const Camps* camps : {&report.camps, &report.label_camps})
    if (!camps->annotators.empty() && camps->belief == Belief::none)
      report.untold.push_back(
          "two camps contradict each other, " + std::to_string(camps->with) + " (" +
          names_on(*camps, Side::with, annotators) + ") and " + std::to_string(camps->against) + " (" +
          names_on(*camps, Side::against, annotators) + "): which one is right " + kUntold);
  for (const Sign& sign : copies)
    if (sign.corrected < kLevel)
      report.untold.push_back(annotators.at(sign.annotator).annotator.name + " and " +
                              annotators.at(sign.other).annotator.name + " agree on " +
                              std::to_string(sign.count) + " of " + std::to_string(sign.total) +
                              " pairs, beyond what independent judging explains: whether one copies, they "
                              "collude or they share a view " +
                              kUntold);
}

// Of those who agree beyond independence nothing is concluded, unless known answers speak.
void doubt_the_dependent(Reliability& report, const std::vector<Sign>& copies) {
  if (report.camps.belief == Belief::gold) return;
  std::set<int64_t> dependent;
  for (const Sign& sign : copies)
    if (sign.corrected < kLevel) dependent.insert({sign.annotator, sign.other});
  for (AnnotatorReport& one : report.annotators)
    if (dependent.contains(one.id)) one.verdict = kUntold;
}

std::string interval_text(double value, const Interval& interval) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.2f (%.2f to %.2f)", value, interval.low, interval.high);
  return text.data();
}

std::string evidence_text(const Evidence& evidence) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), ": %lld of %lld, expected %.0f %%, p %.2g",
                static_cast<long long>(evidence.count), static_cast<long long>(evidence.total),
                100 * evidence.expected, evidence.p);
  return evidence.what + text.data();
}

std::string labels_line(const LabelAccuracy& labels) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), "; keeps %.0f %% of yes, %.0f %% of no\n", 100 * labels.yes_kept,
                100 * labels.no_kept);
  return "    " + std::to_string(labels.accuracy.labels) + " yes/no labels, accuracy " +
         interval_text(labels.accuracy.accuracy, labels.accuracy.interval) + text.data();
}

std::string annotator_line(const AnnotatorReport& one) {
  std::array<char, 320> line{};
  const std::string accuracy =
      one.accuracy.labels == 0 ? "-" : interval_text(one.accuracy.accuracy, one.accuracy.interval);
  const std::string ability = one.ability ? interval_text(*one.ability, one.ability_interval) : "-";
  std::snprintf(line.data(), line.size(), "%-20.40s %10lld %7lld   %-20s   %-20s   %s\n",
                one.annotator.name.c_str(), static_cast<long long>(one.judgements),
                static_cast<long long>(one.accuracy.shared), accuracy.c_str(), ability.c_str(),
                one.verdict.c_str());
  std::string text = line.data();
  if (one.labels) text += labels_line(*one.labels);
  for (const Evidence& evidence : one.evidence) text += "    " + evidence_text(evidence) + "\n";
  return text;
}

std::string group_line(const GroupReport& group) {
  return "group " + group.name + ": " + std::to_string(group.annotators) + " annotators, " +
         std::to_string(group.items) + " pairs covered; equal labels within " +
         std::to_string(group.within_equal) + " of " + std::to_string(group.within_total) + ", with others " +
         std::to_string(group.across_equal) + " of " + std::to_string(group.across_total) + "\n";
}

std::string belief_text(const Camps& camps) {
  switch (camps.belief) {
    case Belief::uncontradicted:
      return "nobody contradicts the others";
    case Belief::majority:
      return "that the larger camp (" + std::to_string(camps.with) + " against " +
             std::to_string(camps.against) + ") is right is assumed, not known";
    case Belief::gold:
      return "known answers of " + std::to_string(camps.gold_items) + " pairs say which camp is right";
    case Belief::none:
      break;
  }
  return std::string("which camp is right ") + kUntold;
}

Json interval_json(double value, const Interval& interval) {
  return {{"value", value}, {"low", interval.low}, {"high", interval.high}};
}

Json annotator_json(const AnnotatorReport& one) {
  Json evidence = Json::array();
  for (const Evidence& sign : one.evidence)
    evidence.push_back({{"what", sign.what},
                        {"count", sign.count},
                        {"total", sign.total},
                        {"expected", sign.expected},
                        {"p", sign.p}});
  Json object = {{"annotator", one.annotator.name},
                 {"kind", annotator_kind_name(one.annotator.kind)},
                 {"judgements", one.judgements},
                 {"labels", one.accuracy.labels},
                 {"labels_of_shared_items", one.accuracy.shared},
                 {"gold", one.accuracy.gold},
                 {"gold_right", one.accuracy.gold_right},
                 {"verdict", one.verdict},
                 {"evidence", evidence}};
  object["accuracy"] =
      one.accuracy.labels == 0 ? Json() : interval_json(one.accuracy.accuracy, one.accuracy.interval);
  object["ability"] = one.ability ? interval_json(*one.ability, one.ability_interval) : Json();
  if (one.labels) {
    const AnnotatorAccuracy& labels = one.labels->accuracy;
    object["yes_no"] = {{"labels", labels.labels},
                        {"accuracy", interval_json(labels.accuracy, labels.interval)},
                        {"yes_kept", one.labels->yes_kept},
                        {"no_kept", one.labels->no_kept}};
  }
  if (!one.group.empty()) object["group"] = one.group;
  return object;
}

}  // namespace

std::map<int64_t, int64_t> gold_answers(StrictComparisons& items, const std::vector<JudgedRow>& gold) {
  std::map<int64_t, int64_t> answers;
  for (const JudgedRow& row : gold) {
    const auto& ranks = row.judgement.ranks;
    for (size_t i = 0; i < ranks.size(); ++i)
      for (size_t j = i + 1; j < ranks.size(); ++j) {
        const auto pair = items.number(row, i, j);
        if (pair && ranks[i] != ranks[j])
          answers[pair->item] = (ranks[i] < ranks[j] ? 1 : -1) * pair->first_is_better;
      }
  }
  return answers;
}

std::vector<JudgedRow> gold_rows(Store& store) {
  std::vector<JudgedRow> rows;
  for (const int64_t id : store.tasks()) {
    const Task task = store.task(id);
    const auto gold = task.details.find("gold");
    if (task.kind != TaskKind::ranking || gold == task.details.end()) continue;
    const Json& ranks = gold->is_object() && gold->contains("ranks") ? gold->at("ranks") : *gold;
    const auto is_rank = [](const Json& rank) { return rank.is_number_integer(); };
    if (!ranks.is_array() || ranks.size() != task.completions.size() ||
        !std::all_of(ranks.begin(), ranks.end(), is_rank))
      throw Error("store", "expected ranks beside the completions in the gold of task " + std::to_string(id) +
                               ", got " + json_text(ranks).substr(0, 60));
    JudgedRow row{.prompt = store.prompt(task.prompt)};
    row.judgement = {.prompt = task.prompt, .completions = task.completions};
    row.judgement.ranks = ranks.get<std::vector<int64_t>>();
    for (const int64_t completion : task.completions) row.completions.push_back(store.completion(completion));
    rows.push_back(std::move(row));
  }
  return rows;
}

Reliability reliability(const std::vector<JudgedRow>& rows, const std::vector<JudgedRow>& gold,
                        const ReliabilityOptions& options) {
  Reliability report;
  Observations seen(rows);
  const std::vector<Label> labels = seen.comparisons.labels(), independent = seen.independent.labels();
  std::map<int64_t, AnnotatorReport> annotators = annotators_of(rows);
  std::vector<Sign> copies;
  if (!labels.empty()) {
    report.camps = annotator_camps(
        labels, {.most_hostile = options.most_hostile, .gold = gold_answers(seen.comparisons, gold)});
    for (const AnnotatorAccuracy& one : report.camps.annotators) annotators.at(one.annotator).accuracy = one;
    copies = copying_signs(independent);
  }
  report.label_camps = add_labels(annotators, rows, options);
  add_abilities(annotators, rows);
  add_signs(annotators, copies, "agrees beyond independence with");
  add_signs(annotators, position_signs(seen.shown), "prefers one place, the first shown");
  add_signs(annotators, length_signs(seen.longer()), "looks at length, prefers the longer text");
  add_signs(annotators, speed_signs(seen.times), "answers faster than anybody reads");
  const GroupAgreements agreements = group_agreements(independent, annotators);
  report.groups = groups_of(agreements, annotators);
  for (const auto& [id, one] : annotators) {
    report.annotators.push_back(one);
    report.annotators.back().verdict = verdict_of(one, report, agreements);
  }
  std::map<int64_t, int64_t> labels_of;
  for (const Label& label : labels) ++labels_of[label.item];
  report.items = std::ssize(labels_of);
  for (const auto& [item, count] : labels_of) report.items_of_several += count > 1;
  add_untold(report, copies, annotators);
  doubt_the_dependent(report, copies);
  return report;
}

Json reliability_json(const Reliability& report) {
  Json annotators = Json::array(), groups = Json::array();
  for (const AnnotatorReport& one : report.annotators) annotators.push_back(annotator_json(one));
  for (const GroupReport& group : report.groups)
    groups.push_back({{"group", group.name},
                      {"annotators", group.annotators},
                      {"labels", group.labels},
                      {"items", group.items},
                      {"within", {{"equal", group.within_equal}, {"total", group.within_total}}},
                      {"across", {{"equal", group.across_equal}, {"total", group.across_total}}},
                      {"p", group.p}});
  return {{"items", report.items},
          {"items_of_several", report.items_of_several},
          {"belief", belief_name(report.camps.belief)},
          {"with", report.camps.with},
          {"against", report.camps.against},
          {"gold_items", report.camps.gold_items},
          {"gold_evidence", report.camps.gold_evidence},
          {"yes_no_belief",
           report.label_camps.annotators.empty() ? Json() : Json(belief_name(report.label_camps.belief))},
          {"annotators", annotators},
          {"groups", groups},
          {"untold", report.untold}};
}

std::string reliability_text(const Reliability& report) {
  std::string text =
      "annotator            judgements  shared   accuracy (95 %)        ability (95 %)         verdict\n";
  for (const AnnotatorReport& one : report.annotators) text += annotator_line(one);
  for (const GroupReport& group : report.groups) text += group_line(group);
  text += std::to_string(report.items) + " pairs, " + std::to_string(report.items_of_several) +
          " of them by several annotators";
  if (!report.camps.annotators.empty()) text += "; " + belief_text(report.camps);
  text += "\n";
  for (const std::string& sentence : report.untold) text += sentence + "\n";
  return text;
}

}  // namespace keel::feedback
