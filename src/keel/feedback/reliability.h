// How far each annotator of a store can be relied on, with the evidence. Nobody is dropped here: a verdict
// says what was counted, and what cannot be told from labels alone is said to be so.
//
// Comparisons are items with two sides (statistics/annotator_camps.h); a ranking of K is its pairs, ties say
// nothing. Yes/no labels are measured by themselves, with what each annotator makes of a yes and of a no
// (dawid_skene.h). Where completions have models, abilities are estimated as well (annotator_ability.h).
// Intervals take pairs as independent, and those of one ranking are not quite: somewhat too narrow for K > 2.
// Signs of not judging what is shown are statistics/suspicion.h's; one counts as evidence below kLevel.
//
// Annotators may belong to a group: `group` in their parameters. Whoever contradicts the others and agrees
// with their own group is no suspect; how far groups agree, and what they covered, is reported.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "keel/base/json.h"
#include "keel/feedback/comparison_items.h"
#include "keel/feedback/store.h"
#include "keel/statistics/annotator_camps.h"
#include "keel/statistics/suspicion.h"

namespace keel::feedback {

/// A corrected probability below this is evidence.
inline constexpr double kLevel = 0.05;

struct ReliabilityOptions {
  double most_hostile = 0.75;  // the largest share of annotators that is thought possible (CampOptions)
};

/// A sign that counts: "prefers the first shown", "41 of 50, 25 expected".
struct Evidence {
  std::string what = {};
  int64_t count = 0, total = 0;
  double expected = 0;  // of total, a share
  double p = 1;         // corrected
};

/// Of yes/no labels.
struct LabelAccuracy {
  AnnotatorAccuracy accuracy = {};
  double yes_kept = 0.5, no_kept = 0.5;  // the probability that a true yes is labelled so, and a true no
};

struct AnnotatorReport {
  Annotator annotator = {};
  int64_t id = 0;
  std::string group = {};  // "" where it has none
  int64_t judgements = 0;
  AnnotatorAccuracy accuracy = {};  // of comparisons
  std::optional<LabelAccuracy> labels = {};
  std::optional<double> ability = {};  // Bradley-Terry with ability, over models
  Interval ability_interval = {0, 1};
  std::string verdict = {};  // by comparisons; of whoever made none, by labels
  std::vector<Evidence> evidence = {};
};

/// Annotators of one group, and how far they agree on items that several labelled.
struct GroupReport {
  std::string name = {};
  int64_t annotators = 0, labels = 0;
  int64_t items = 0;                           // that one of them labelled
  int64_t within_equal = 0, within_total = 0;  // pairs of labels of two members
  int64_t across_equal = 0, across_total = 0;  // of a member and another
  double p = 1;                                // that the two shares are one
};

struct Reliability {
  Camps camps = {};        // of comparisons; without any, no annotators are in it
  Camps label_camps = {};  // of yes/no labels, likewise
  std::vector<AnnotatorReport> annotators = {};
  std::vector<GroupReport> groups = {};
  int64_t items = 0, items_of_several = 0;
  std::vector<std::string> untold = {};  // what cannot be told without gold items, a sentence each
};

/// Gold items of a store as judgements: tasks whose details hold what a right answer is: `gold`, ranks beside
/// the completions ([1, 2]) or {"ranks": [...]}. Errors: [store] ranks that do not fit.
std::vector<JudgedRow> gold_rows(Store& store);

/// The known answers among pairs, by their number there.
std::map<int64_t, int64_t> gold_answers(StrictComparisons& items, const std::vector<JudgedRow>& gold);

Reliability reliability(const std::vector<JudgedRow>& rows, const std::vector<JudgedRow>& gold,
                        const ReliabilityOptions& options = {});

Json reliability_json(const Reliability& report);
/// A table for a terminal, with what was found below it.
std::string reliability_text(const Reliability& report);

}  // namespace keel::feedback
