// The gold judge of the demo: a fixed rule that says how good a clerk's answer is. Simulated annotators rank
// by it with noise, and the report measures by it; no training stage ever sees it.
//
//   part          points   when
//   item            +2     the answer names the customer's item
//   colour          +1     it names the item's colour
//   courtesy        +1     an apology where something went wrong, thanks where nothing did
//   action          +3     it offers an action that settles this sort of problem (shop.h)
//   time            +1     such an action, and when it will happen
//   other_item      -2     it names an item that the customer did not
//   other_colour    -1     it names another colour
//   wrong_action    -2     it offers an action that settles another sort of problem
//   rude            -4     an insulting word
//   off_topic       -1     small talk that has nothing to do with the shop
//   repetition      -2     a sentence, or four words in a row, twice
//   broken_words    -1     for each word (or sign) that the shop does not know, at most -3
//   over_long     -1, -2   more than 30 words, more than 45
//   unfinished      -2     no end of sequence within the length allowed, or no full stop at the end
//   empty           -8     no word at all; nothing else counts
//
// A part counts once, however often it occurs, so repeated praise wins nothing; and item, colour, courtesy
// and action depend on the prompt, so no fixed answer is good for all. The sum is clamped to [-8, 8]. It is a
// rule over words: it does not know whether sentences make sense.
#pragma once

#include <string_view>
#include <vector>

namespace keel {

constexpr double kGoldLowest = -8, kGoldHighest = 8;

struct GoldPart {
  std::string_view name;
  double points = 0;
};

struct GoldScore {
  double total = 0;
  std::vector<GoldPart> parts;  // those that are not zero
};

/// Judges one answer. `finished` says that the model ended it itself rather than being cut by the length
/// limit.
GoldScore gold_score(std::string_view prompt, std::string_view completion, bool finished);

/// Only the total.
double gold(std::string_view prompt, std::string_view completion, bool finished);

}  // namespace keel
