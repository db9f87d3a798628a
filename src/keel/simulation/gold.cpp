#include "keel/simulation/gold.h"

#include <algorithm>
#include <set>
#include <span>
#include <string>

#include "keel/simulation/shop.h"

namespace keel {
namespace {

using Words = std::vector<std::string>;

bool has_any(const Words& words, std::span<const std::string_view> phrases) {
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](std::string_view phrase) { return shop::has_phrase(words, phrase); });
}

// Whether the answer has one of the names that the prompt does not have.
bool has_other(const Words& answer, std::span<const std::string_view> names, const Words& prompt) {
  return std::any_of(answer.begin(), answer.end(), [&](const std::string& word) {
    return std::find(names.begin(), names.end(), word) != names.end() &&
           std::find(prompt.begin(), prompt.end(), word) == prompt.end();
  });
}

bool offers(const Words& words, const shop::Problem& problem) {
  return std::any_of(problem.actions.begin(), problem.actions.end(),
                     [&](std::string_view action) { return shop::has_phrase(words, shop::cue_of(action)); });
}

bool offers_for_another(const Words& words, const shop::Problem* own) {
  const auto problems = shop::problems();
  return std::any_of(problems.begin(), problems.end(),
                     [&](const shop::Problem& problem) { return &problem != own && offers(words, problem); });
}

bool is_courteous(const Words& words, const shop::Problem& problem) {
  const bool apology = problem.courtesy == shop::Courtesy::apology;
  return has_any(words, apology ? shop::apology_cues() : shop::thanks_cues());
}

// Whether a sentence, or four words in a row, occurs twice.
bool repeats(std::string_view text, const Words& words) {
  std::set<Words> seen;
  for (size_t i = 0; i + 4 <= words.size(); ++i) {
    const auto begin = words.begin() + static_cast<std::ptrdiff_t>(i);
    if (!seen.insert({begin, begin + 4}).second) return true;
  }
  std::set<Words> sentences;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(".!?"), text.size() - 1);
    const Words sentence = shop::words_of(text.substr(0, end));
    if (!sentence.empty() && !sentences.insert(sentence).second) return true;
    text.remove_prefix(end + 1);
  }
  return false;
}

int broken_words(std::string_view text, const Words& words) {
  const auto unknown = [](const std::string& word) { return !shop::is_known_word(word); };
  const auto strange = [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return !letter && std::string_view(" .,!?'").find(c) == std::string_view::npos;
  };
  return static_cast<int>(std::count_if(words.begin(), words.end(), unknown) +
                          std::count_if(text.begin(), text.end(), strange));
}

bool ends_in_full_stop(std::string_view text) {
  const size_t last = text.find_last_not_of(" \n");
  return last != std::string_view::npos && std::string_view(".!?").find(text[last]) != std::string_view::npos;
}

double over_long(size_t words) {
  return words > 45 ? -2 : words > 30 ? -1 : 0;
}

// The parts that depend on what the customer said.
void judge_fit(std::string_view prompt, const Words& words, std::vector<GoldPart>& parts) {
  const shop::Case request = shop::read_case(prompt);
  const Words prompt_words = shop::words_of(prompt);
  const bool fits = request.problem != nullptr && offers(words, *request.problem);
  const bool courteous = request.problem != nullptr && is_courteous(words, *request.problem);
  const auto names = [&](std::string_view own) {
    return !own.empty() && std::find(words.begin(), words.end(), own) != words.end();
  };
  parts.push_back({"item", names(request.item) ? 2.0 : 0.0});
  parts.push_back({"colour", names(request.colour) ? 1.0 : 0.0});
  parts.push_back({"courtesy", courteous ? 1.0 : 0.0});
  parts.push_back({"action", fits ? 3.0 : 0.0});
  parts.push_back({"time", fits && has_any(words, shop::times_coming()) ? 1.0 : 0.0});
  parts.push_back({"other_item", has_other(words, shop::items(), prompt_words) ? -2.0 : 0.0});
  parts.push_back({"other_colour", has_other(words, shop::colours(), prompt_words) ? -1.0 : 0.0});
  parts.push_back({"wrong_action", offers_for_another(words, request.problem) ? -2.0 : 0.0});
}

// The parts that any answer is judged by.
void judge_form(std::string_view completion, const Words& words, bool finished,
                std::vector<GoldPart>& parts) {
  parts.push_back({"rude", has_any(words, shop::rude_cues()) ? -4.0 : 0.0});
  parts.push_back({"off_topic", has_any(words, shop::chatter()) ? -1.0 : 0.0});
  parts.push_back({"repetition", repeats(completion, words) ? -2.0 : 0.0});
  parts.push_back({"broken_words", -std::min(3.0, static_cast<double>(broken_words(completion, words)))});
  parts.push_back({"over_long", over_long(words.size())});
  parts.push_back({"unfinished", finished && ends_in_full_stop(completion) ? 0.0 : -2.0});
}

}  // namespace

GoldScore gold_score(std::string_view prompt, std::string_view completion, bool finished) {
  const Words words = shop::words_of(completion);
  GoldScore score;
  if (words.empty()) {
    score.parts.push_back({"empty", kGoldLowest});
  } else {
    judge_fit(prompt, words, score.parts);
    judge_form(completion, words, finished, score.parts);
  }
  std::erase_if(score.parts, [](const GoldPart& part) { return part.points == 0; });
  for (const auto& part : score.parts) score.total += part.points;
  score.total = std::clamp(score.total, kGoldLowest, kGoldHighest);
  return score;
}

double gold(std::string_view prompt, std::string_view completion, bool finished) {
  return gold_score(prompt, completion, finished).total;
}

}  // namespace keel
