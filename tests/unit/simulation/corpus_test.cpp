#include "keel/simulation/corpus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "keel/base/error.h"
#include "keel/simulation/gold.h"
#include "keel/simulation/shop.h"

namespace keel {
namespace {

struct Parts {
  std::string prompt, completion;
};

Parts parts_of(const std::string& document) {
  const size_t clerk = document.find("\nClerk:") + 7;
  return {document.substr(0, clerk), document.substr(clerk)};
}

double mean_gold(const std::vector<Demonstration>& rows) {
  double sum = 0;
  for (const auto& row : rows) sum += gold(row.prompt, row.completion, true);
  return sum / static_cast<double>(rows.size());
}

std::vector<Demonstration> as_rows(const std::vector<std::string>& documents) {
  std::vector<Demonstration> rows;
  for (const auto& document : documents) {
    const Parts parts = parts_of(document);
    rows.push_back({parts.prompt, parts.completion});
  }
  return rows;
}

TEST(Corpus, IsAFunctionOfSeedAndIndexAlone) {
  const auto few = generate_corpus(7, 50), many = generate_corpus(7, 200), other = generate_corpus(8, 50);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  EXPECT_NE(few, other);
  EXPECT_EQ(generate_demonstrations(7, 20)[19].completion, generate_demonstrations(7, 20)[19].completion);
  EXPECT_EQ(generate_prompts(7, 20, Split::train), generate_prompts(7, 20, Split::train));
  EXPECT_NE(generate_prompts(7, 20, Split::train), generate_prompts(8, 20, Split::train));
}

TEST(Corpus, DocumentsHaveTheDocumentedShape) {
  for (const auto& document : generate_corpus(1, 2000)) {
    ASSERT_TRUE(document.starts_with("Customer: ")) << document;
    const Parts parts = parts_of(document);
    ASSERT_TRUE(parts.completion.starts_with(" ")) << document;
    ASSERT_EQ(parts.completion.find("\n"), std::string::npos) << document;
    ASSERT_EQ(parts.completion.find("  "), std::string::npos) << document;
    ASSERT_NE(std::string(".!?").find(document.back()), std::string::npos) << document;
    ASSERT_EQ(document.find_first_of("{}"), std::string::npos) << document;
    for (const auto& word : shop::words_of(document)) ASSERT_TRUE(shop::is_known_word(word)) << word;
  }
}

TEST(Corpus, HeldOutPromptsOccurInNoTrainingText) {
  std::set<std::string> trained;
  for (const auto& document : generate_corpus(3, 20000)) trained.insert(parts_of(document).prompt);
  for (const auto& row : generate_demonstrations(4, 5000)) trained.insert(row.prompt);
  for (const auto& prompt : generate_prompts(5, 5000, Split::train)) trained.insert(prompt);
  for (const auto& prompt : trained) ASSERT_EQ(split_of(prompt), Split::train);
  const auto held_out = generate_prompts(3, 2000, Split::held_out);
  for (const auto& prompt : held_out) ASSERT_FALSE(trained.contains(prompt)) << prompt;
  EXPECT_EQ(std::set<std::string>(held_out.begin(), held_out.end()).size(), held_out.size());
}

TEST(Corpus, OnePromptInEightIsHeldOutWhateverItIsAbout) {
  int64_t held_out = 0, about_kettles = 0, held_out_kettles = 0;
  for (const char* end : {"", " a", " b", " c", " d"}) {
    for (const auto& document : generate_corpus(9, 4000)) {
      const std::string prompt = parts_of(document).prompt + end;  // another hash for every end
      const bool kettle = prompt.find("kettle") != std::string::npos,
                 out = split_of(prompt) == Split::held_out;
      if (*end == 0) continue;
      held_out += out, about_kettles += kettle, held_out_kettles += kettle && out;
    }
  }
  EXPECT_NEAR(static_cast<double>(held_out) / 16000, 0.125, 0.011);  // four standard errors
  EXPECT_NEAR(static_cast<double>(held_out_kettles) / static_cast<double>(about_kettles), 0.125, 0.08);
}

TEST(Corpus, HasMoreThanTwoHundredThousandPromptsAndAWideAnswerSpace) {
  EXPECT_GE(number_of_prompts(), 200000);
  const auto documents = generate_corpus(2, 20000);
  std::set<std::string> prompts, answers;
  for (const auto& document : documents) {
    prompts.insert(parts_of(document).prompt);
    answers.insert(parts_of(document).completion);
  }
  EXPECT_GE(prompts.size(), 19000u);
  EXPECT_GE(answers.size(), 12000u);
}

TEST(Corpus, EveryRequestReadsBackAsItself) {
  for (const auto& problem : shop::problems()) {
    for (const auto complaint : problem.complaints) {
      for (const auto opening : shop::openings()) {
        for (const auto closing : shop::closings()) {
          std::string prompt = "Customer: " + std::string(opening) + std::string(complaint) + "." +
                               std::string(closing) + "\nClerk:";
          prompt = shop::fill(shop::fill(std::move(prompt), "item", "kettle"), "colour", "silver");
          prompt = shop::fill(std::move(prompt), "when", "last night");
          const shop::Case request = shop::read_case(prompt);
          ASSERT_EQ(request.problem, &problem) << prompt;
          ASSERT_EQ(request.item, "kettle") << prompt;
          ASSERT_EQ(request.colour, "silver") << prompt;
        }
      }
    }
  }
}

TEST(Corpus, CuesBelongToOneProblemAndNamesToOneTable) {
  for (const auto& problem : shop::problems()) {
    for (const auto action : problem.actions) {
      const auto words = shop::words_of(action);
      for (const auto& other : shop::problems()) {
        for (const auto its_action : other.actions) {
          EXPECT_TRUE(&other == &problem || !shop::has_phrase(words, shop::cue_of(its_action))) << action;
        }
      }
    }
  }
  // no sentence of a clerk names an item or a colour of its own accord
  for (const auto table :
       {shop::apologies(), shop::thanks(), shop::farewells(), shop::delays(), shop::insults(),
        shop::chatter(), shop::grunts(), shop::times_coming(), shop::closings()}) {
    for (const auto sentence : table) {
      const shop::Case read =
          shop::read_case(shop::fill(shop::fill(std::string(sentence), "item", ""), "colour", ""));
      EXPECT_TRUE(read.item.empty() && read.colour.empty()) << sentence;
    }
  }
}

TEST(Corpus, EachSortOfClerkLeavesRoomForTheNext) {
  const double corpus = mean_gold(as_rows(generate_corpus(11, 5000)));
  const double demonstrations = mean_gold(generate_demonstrations(11, 5000));
  EXPECT_GT(corpus, 0.0);
  EXPECT_GT(demonstrations, corpus + 0.75);
  EXPECT_LT(demonstrations, kGoldHighest - 2.5);
  RecordProperty("mean_gold_corpus", std::to_string(corpus));
  RecordProperty("mean_gold_demonstrations", std::to_string(demonstrations));
}

TEST(Corpus, RefusesMorePromptsThanItCanSay) {
  EXPECT_THROW(generate_prompts(1, number_of_prompts(), Split::held_out), Error);
  EXPECT_THROW(generate_prompts(1, -1, Split::train), Error);
  EXPECT_TRUE(generate_prompts(1, 0, Split::train).empty());
}

}  // namespace
}  // namespace keel
