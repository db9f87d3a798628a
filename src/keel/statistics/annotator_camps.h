// How reliable each annotator is where items have two sides, and how far that can be known from labels alone.
//
// The model is Dawid and Skene's with one accuracy for each annotator (dawid_skene.h). Its likelihood does
// not change when all truths and accuracies are turned around, so labels alone never say which of two camps
// that contradict each other is right: with more than half hostile, the honest ones look hostile. What
// decides is stated: items whose answer is known (gold), or a bound on how many annotators may be hostile.
// The majority is believed when its camp is larger than that bound allows hostile ones to be.
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "keel/statistics/dawid_skene.h"
#include "keel/statistics/intervals.h"
#include "keel/statistics/judgements.h"

namespace keel {

struct CampOptions {
  double most_hostile = 0.75;  // the largest share of annotators of known direction thought possible
  std::map<int64_t, int64_t> gold = {};    // the category of an item
  bool even_prior = true;                  // both sides are equally likely, as of a comparison
  std::array<int64_t, 2> sides = {-1, 1};  // the categories
};

enum class Side {
  with,     // right more often than not, beyond its interval
  against,  // wrong more often than not
  chance,   // as good as a coin: the interval holds 1/2 and little above it
  unclear,  // the interval says none of these
};

struct AnnotatorAccuracy {
  int64_t annotator = 0;
  int64_t labels = 0;
  int64_t shared = 0;  // labels of items that others labelled, too, or whose answer is known
  int64_t gold = 0;    // labels of items whose answer is known
  int64_t gold_right = 0;
  double accuracy = 0.5;
  Interval interval = {0, 1};  // 95 %
  Side side = Side::unclear;
};

/// Why the camp that is called right is believed to be.
enum class Belief {
  uncontradicted,  // no annotator is of the other camp
  majority,        // more annotators than may be hostile are of this camp
  gold,            // known answers say so: turned around, the labels are a hundred times less likely
  none,            // cannot be told without gold items
};

struct Camps {
  DawidSkene fit = {};                             // categories are the two sides
  std::vector<AnnotatorAccuracy> annotators = {};  // as in fit
  Belief belief = Belief::none;
  int64_t with = 0, against = 0;  // annotators
  double gold_evidence = 0;       // nats by which known answers favour this camp; 0 without any
  int64_t gold_items = 0;         // that somebody labelled

  /// The probability that this label is right, from all labels of its item; its annotator's accuracy when
  /// the item has no other.
  double right(size_t item, size_t category) const { return fit.probability(item, category); }
};

/// Errors: [annotator_camps] no labels, a label or a known answer of neither side, a bound outside [0.5, 1].
Camps annotator_camps(std::span<const Label> labels, const CampOptions& options = {});

/// The 95 % interval of one annotator's accuracy alone, both sides alike, by an EM that ends early: for
/// whoever asks it of many parts of the labels. [0, 1] without labels of theirs.
Interval annotator_interval(std::span<const Label> labels, int64_t annotator);  // sides -1 and 1

const char* belief_name(Belief belief);  // "uncontradicted", "majority", "gold", "none"

}  // namespace keel
