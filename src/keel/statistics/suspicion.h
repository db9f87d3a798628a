// Signs that an annotator does not judge what is shown, each with its count and the probability of as much by
// chance, corrected for everybody who was asked (Holm). They are reasons to look, not verdicts.
//
// position   The order shown was drawn by chance, so whoever reads prefers the first as often as the last,
//            whatever the texts are: a fair coin.
// length     Whoever errs, errs as often in favour of long texts as of short ones. What is right is as
// probable
//            as what others said of the same pair, and how often the longer text is right, make it, so a
//            taste for length that all share is no sign.
// speed      Answers faster than anybody reads, compared with how often the others give such answers.
// copying    Two who agree more often than either agrees with others, and than the accuracy of both allows,
//            each measured without those who agree with it so: copies would otherwise vouch for one another.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "keel/statistics/judgements.h"

namespace keel {

/// `count` of `total` where `expected` (a share) was to be expected.
struct Sign {
  int64_t annotator = 0;
  int64_t other = 0;  // of copying: the other one; else the annotator
  int64_t count = 0, total = 0;
  double expected = 0;
  double p = 1, corrected = 1;
};

/// A strict preference between the first and the last that were shown.
struct ShownChoice {
  int64_t annotator = 0;
  bool first = false;  // was better
};
std::vector<Sign> position_signs(std::span<const ShownChoice> choices);

/// Labels of pairs of texts of unequal length: 1, the longer one is better, or 0. Two-sided. count: of an
/// annotator's labels of pairs that others labelled, too, those for the longer text; expected: by the
/// annotator's accuracy and what the others said.
std::vector<Sign> length_signs(std::span<const Label> labels);

/// A judgement that took some time.
struct TimedJudgement {
  int64_t annotator = 0;
  double words = 0, seconds = 0;  // words: of all that had to be read
};
/// Faster than this nobody reads (Brysbaert 2019: 238 words a minute; skimming reaches two or three times
/// that).
inline constexpr double kFastestReading = 1000;  // words a minute
/// One-sided: too many fast ones.
std::vector<Sign> speed_signs(std::span<const TimedJudgement> judgements);

/// Of every two annotators with items in common; labels have two categories at most. One-sided: too much
/// agreement.
std::vector<Sign> copying_signs(std::span<const Label> labels);

}  // namespace keel
