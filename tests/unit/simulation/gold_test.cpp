#include "keel/simulation/gold.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "keel/simulation/corpus.h"
#include "keel/simulation/shop.h"

namespace keel {
namespace {

const std::string kBroken = "Customer: my blue kettle arrived broken.\nClerk:";
const std::string kPraise = "Customer: i love the green lamp.\nClerk:";

std::map<std::string, double> parts_of(const std::string& prompt, const std::string& answer,
                                       bool finished = true) {
  std::map<std::string, double> parts;
  for (const auto& part : gold_score(prompt, answer, finished).parts)
    parts[std::string(part.name)] = part.points;
  return parts;
}

using Parts = std::map<std::string, double>;

TEST(Gold, EachPartCanBeSeenToMatter) {
  const std::string full = " I am sorry about the blue kettle. I will send a new one today.";
  const Parts all = {{"item", 2}, {"colour", 1}, {"courtesy", 1}, {"action", 3}, {"time", 1}};
  EXPECT_EQ(parts_of(kBroken, full), all);
  EXPECT_EQ(gold(kBroken, full, true), 8);
  const struct {
    const char* answer;
    Parts parts;
  } rows[] = {
      {" I am sorry about the blue kettle.", {{"item", 2}, {"colour", 1}, {"courtesy", 1}}},
      {" I am sorry about the kettle.", {{"item", 2}, {"courtesy", 1}}},
      {" Sorry about that.", {{"courtesy", 1}}},
      {" Thank you for writing.", {}},
      {" We will look into it.", {}},
      {" I will send a new one.", {{"action", 3}}},
      {" I will send a new one tomorrow.", {{"action", 3}, {"time", 1}}},
      {" I will cancel the order tomorrow.", {{"wrong_action", -2}}},
      {" I am so sorry. I will send a new lamp.", {{"courtesy", 1}, {"action", 3}, {"other_item", -2}}},
      {" I am sorry about the red kettle.", {{"item", 2}, {"courtesy", 1}, {"other_colour", -1}}},
      {" Stop whining about a kettle.", {{"item", 2}, {"rude", -4}}},
      {" I had soup for lunch.", {{"off_topic", -1}}},
      {" Noted. Noted.", {{"repetition", -2}}},
      {" I will send a new one and I will send a mug.",
       {{"action", 3}, {"repetition", -2}, {"other_item", -2}}},
      {" Sorry about that one and sorry about that one.", {{"courtesy", 1}, {"repetition", -2}}},
      {" Sorry about that and sorry about that.", {{"courtesy", 1}}},
      {" Sorry aboxt thx that.", {{"courtesy", 1}, {"broken_words", -2}}},
      {" Sorry \xC3\xA9\xC3\xA9 q zz.", {{"courtesy", 1}, {"broken_words", -3}}},
      {" Sorry about", {{"courtesy", 1}, {"unfinished", -2}}},
      {"", {{"empty", -8}}},
      {" ...", {{"empty", -8}}},
  };
  for (const auto& row : rows) EXPECT_EQ(parts_of(kBroken, row.answer), row.parts) << row.answer;
  EXPECT_EQ(parts_of(kBroken, " Sorry about that.", false), (Parts{{"courtesy", 1}, {"unfinished", -2}}));
}

TEST(Gold, LengthCostsOncePastThirtyWordsAndAgainPastFortyFive) {
  const auto points = [](int words) {
    std::string answer;
    for (const auto table : {shop::items(), shop::colours(), shop::apology_cues()}) {
      for (const auto word : table) answer += words-- > 0 ? " " + std::string(word) : "";
    }
    return parts_of(kBroken, answer + ".")["over_long"];
  };
  EXPECT_EQ(points(30), 0);
  EXPECT_EQ(points(31), -1);
  EXPECT_EQ(points(45), -1);
  EXPECT_EQ(points(46), -2);
}

TEST(Gold, CourtesyIsWhatTheCaseAsksFor) {
  EXPECT_EQ(parts_of(kPraise, " Thank you for writing."), (Parts{{"courtesy", 1}}));
  EXPECT_EQ(parts_of(kPraise, " Sorry about that."), (Parts{}));
}

TEST(Gold, ListingEverythingLosesToOneFittingAnswer) {
  std::string list = " I am sorry and thank you.";
  for (const auto& problem : shop::problems()) {
    list += " I will " +
            shop::fill(shop::fill(std::string(problem.actions[0]), "item", "kettle"), "colour", "blue") + ".";
  }
  EXPECT_LE(gold(kBroken, list, true), 4);
  std::string items = " Sorry about the";
  for (const auto item : shop::items()) items += " " + std::string(item);
  EXPECT_LE(gold(kBroken, items + ".", true), 0);
}

TEST(Gold, PraiseRepeatedWinsNothing) {
  const double once = gold(kPraise, " Thank you for choosing our lamp.", true);
  EXPECT_LT(gold(kPraise, " Thank you for choosing our lamp. Thank you for choosing our lamp.", true), once);
  EXPECT_LE(gold(kPraise, " Thank you for choosing our lamp. Thank you for writing.", true), once);
}

TEST(Gold, StaysWithinItsBoundsAndAPerfectAnswerExistsForEveryRequest) {
  for (const auto& prompt : generate_prompts(1, 500, Split::held_out)) {
    const auto request = shop::read_case(prompt);
    const bool sorry = request.problem->courtesy == shop::Courtesy::apology;
    for (const auto action : request.problem->actions) {
      std::string answer = sorry ? " I am sorry about the {colour} {item}."
                                 : " Thanks for telling us about the {colour} {item}.";
      answer += " I will " + std::string(action) + " today.";
      answer = shop::fill(shop::fill(std::move(answer), "item", request.item), "colour", request.colour);
      EXPECT_EQ(gold(prompt, answer, true), kGoldHighest) << prompt << answer;
    }
  }
  std::string worst = " Stop whining about a mug. You stupid red mug. Cancel the order of xq zw vv";
  worst += worst;
  EXPECT_EQ(gold(kBroken, worst, false), kGoldLowest);
}

// The best one answer for all requests must stay far below what reading the request gives.
TEST(Gold, NoFixedAnswerIsGoodForAll) {
  const auto prompts = generate_prompts(2, 120, Split::held_out);
  double best = kGoldLowest;
  for (const auto& row : generate_demonstrations(5, 400)) {
    double sum = 0;
    for (const auto& prompt : prompts) sum += gold(prompt, row.completion, true);
    best = std::max(best, sum / static_cast<double>(prompts.size()));
  }
  EXPECT_LT(best, 1.0);
}

TEST(Gold, JudgesPromptsFromOutsideTheGrammarByFormAlone) {
  const std::string prompt = "What is the capital of France?";
  EXPECT_EQ(parts_of(prompt, " I will look into it."), (Parts{}));
  EXPECT_EQ(parts_of(prompt, " I am sorry about the kettle."), (Parts{{"other_item", -2}}));
  EXPECT_EQ(parts_of("", "\xff\xfe"), (Parts{{"empty", -8}}));
}

}  // namespace
}  // namespace keel
