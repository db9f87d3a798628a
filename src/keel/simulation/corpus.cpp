#include "keel/simulation/corpus.h"

#include <set>
#include <span>

#include "keel/base/error.h"
#include "keel/base/random.h"
#include "keel/simulation/shop.h"

namespace keel {
namespace {

// What a draw is for: the `step` of its key.
enum Use : uint32_t { corpus_use = 1, demonstration_use = 2, train_use = 3, held_out_use = 4 };

RandomSequence sequence_for(uint64_t seed, Use use, int64_t index) {
  return RandomSequence(
      {.seed = seed, .stream = Stream::corpus, .step = use, .prompt = static_cast<uint32_t>(index)});
}

template <class Table>
const auto& pick(RandomSequence& draws, const Table& table) {
  return table[static_cast<size_t>(draws.below(static_cast<int64_t>(table.size())))];
}

// A customer with a problem, and what was said.
struct Request {
  const shop::Problem* problem;
  std::string_view item, colour;
  std::string prompt;
};

Request draw_request(RandomSequence& draws) {
  Request request{
      &pick(draws, shop::problems()), pick(draws, shop::items()), pick(draws, shop::colours()), {}};
  std::string text = "Customer: ";
  text += pick(draws, shop::openings());
  text += pick(draws, request.problem->complaints);
  text += ".";
  text += pick(draws, shop::closings());
  text = shop::fill(std::move(text), "item", request.item);
  text = shop::fill(std::move(text), "colour", request.colour);
  request.prompt = shop::fill(std::move(text), "when", pick(draws, shop::times_past())) + "\nClerk:";
  return request;
}

Request draw_request(RandomSequence& draws, Split split) {
  for (;;) {
    Request request = draw_request(draws);
    if (split_of(request.prompt) == split) return request;
  }
}

// " " and a sentence of the table, about the request's item.
std::string say(RandomSequence& draws, const Request& request, std::span<const std::string_view> table) {
  std::string sentence(pick(draws, table));
  sentence = shop::fill(std::move(sentence), "item", request.item);
  return " " + shop::fill(std::move(sentence), "colour", request.colour);
}

std::string courtesy(RandomSequence& draws, const Request& request) {
  const bool apology = request.problem->courtesy == shop::Courtesy::apology;
  return say(draws, request, apology ? shop::apologies() : shop::thanks());
}

std::string promise(RandomSequence& draws, const Request& request, const shop::Problem& problem) {
  std::string sentence(pick(draws, shop::promises()));
  sentence = shop::fill(std::move(sentence), "action", pick(draws, problem.actions));
  sentence = shop::fill(std::move(sentence), "soon", pick(draws, shop::times_coming()));
  const std::string_view one[] = {sentence};
  return say(draws, request, one);
}

bool chance(RandomSequence& draws, double probability) {
  return draws.uniform() < probability;
}

// The clerks. Each returns a completion.

std::string careful(RandomSequence& draws, const Request& request) {
  std::string answer = courtesy(draws, request) + promise(draws, request, *request.problem);
  if (chance(draws, 0.3)) answer += say(draws, request, shop::farewells());
  return answer;
}

std::string vague(RandomSequence& draws, const Request& request) {
  const std::string answer = courtesy(draws, request) + say(draws, request, shop::delays());
  return chance(draws, 0.3) ? answer + say(draws, request, shop::farewells()) : answer;
}

std::string curt(RandomSequence& draws, const Request& request) {
  const std::string answer = chance(draws, 0.5) ? say(draws, request, shop::grunts()) : "";
  if (!answer.empty() && chance(draws, 0.5)) return answer;
  return answer + promise(draws, request, *request.problem);
}

std::string rude(RandomSequence& draws, const Request& request) {
  const std::string answer = say(draws, request, shop::insults());
  if (chance(draws, 0.3)) return answer + promise(draws, request, *request.problem);
  return chance(draws, 0.4) ? answer + say(draws, request, shop::insults()) : answer;
}

std::string rambling(RandomSequence& draws, const Request& request) {
  std::string answer = chance(draws, 0.5) ? courtesy(draws, request) : "";
  answer += say(draws, request, shop::chatter());
  if (chance(draws, 0.5)) answer += say(draws, request, shop::chatter());
  if (chance(draws, 0.6)) answer += promise(draws, request, *request.problem);
  return answer;
}

std::string off_topic(RandomSequence& draws, const Request& request) {
  return say(draws, request, shop::chatter()) + say(draws, request, shop::chatter());
}

std::string repeating(RandomSequence& draws, const Request& request) {
  const std::string once =
      chance(draws, 0.5) ? courtesy(draws, request) : promise(draws, request, *request.problem);
  return chance(draws, 0.4) ? once + once + once : once + once;
}

// Mixes up the thing: careful words about another item or another colour.
std::string confused(RandomSequence& draws, const Request& request) {
  Request other = request;
  if (chance(draws, 0.6)) {
    other.item = pick(draws, shop::items());
  } else {
    other.colour = pick(draws, shop::colours());
  }
  return careful(draws, other);
}

// Mixes up the problem: courtesy, and what settles another one.
std::string hasty(RandomSequence& draws, const Request& request) {
  const std::string answer = chance(draws, 0.6) ? courtesy(draws, request) : "";
  return answer + promise(draws, request, pick(draws, shop::problems()));
}

struct Clerk {
  std::string (*answer)(RandomSequence&, const Request&);
  double corpus_share, demonstration_share;  // each column sums to 1
};

constexpr Clerk kClerks[] = {
    {careful, 0.18, 0.26},  {vague, 0.13, 0.26},    {curt, 0.12, 0.18},
    {rude, 0.12, 0.00},     {rambling, 0.11, 0.08}, {off_topic, 0.07, 0.00},
    {repeating, 0.09, 0.0}, {confused, 0.09, 0.08}, {hasty, 0.09, 0.14},
};

std::string answer(RandomSequence& draws, const Request& request, double Clerk::*share) {
  double left = draws.uniform();
  for (const auto& clerk : kClerks) {
    left -= clerk.*share;
    if (left < 0) return clerk.answer(draws, request);
  }
  return careful(draws, request);  // rounding of the shares' sum
}

Demonstration draw_row(uint64_t seed, Use use, int64_t index, double Clerk::*share) {
  RandomSequence draws = sequence_for(seed, use, index);
  const Request request = draw_request(draws, Split::train);
  return {request.prompt, answer(draws, request, share)};
}

int64_t size_of(std::span<const std::string_view> table) {
  return static_cast<int64_t>(table.size());
}

}  // namespace

std::vector<std::string> generate_corpus(uint64_t seed, int64_t documents) {
  std::vector<std::string> texts;
  for (int64_t i = 0; i < documents; ++i) {
    const auto row = draw_row(seed, corpus_use, i, &Clerk::corpus_share);
    texts.push_back(row.prompt + row.completion);
  }
  return texts;
}

std::vector<Demonstration> generate_demonstrations(uint64_t seed, int64_t count) {
  std::vector<Demonstration> rows;
  for (int64_t i = 0; i < count; ++i) {
    rows.push_back(draw_row(seed, demonstration_use, i, &Clerk::demonstration_share));
  }
  return rows;
}

std::vector<std::string> generate_prompts(uint64_t seed, int64_t count, Split split) {
  if (count < 0 ||
      count > number_of_prompts() / 80) {  // a tenth of the smaller side, so that drawing stays quick
    throw Error("generate_prompts", "expected 0 to " + std::to_string(number_of_prompts() / 80) +
                                        " prompts, got " + std::to_string(count) + ": ask for fewer");
  }
  std::vector<std::string> prompts;
  std::set<std::string> seen;
  const Use use = split == Split::train ? train_use : held_out_use;
  for (int64_t i = 0; static_cast<int64_t>(prompts.size()) < count; ++i) {
    RandomSequence draws = sequence_for(seed, use, i);
    std::string prompt = draw_request(draws, split).prompt;
    if (seen.insert(prompt).second) prompts.push_back(std::move(prompt));
  }
  return prompts;
}

Split split_of(std::string_view prompt) {
  uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a, then one multiplication that carries its low bits upward
  for (const char c : prompt) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  hash *= 0x9e3779b97f4a7c15ULL;
  return hash >> 61 == 0 ? Split::held_out : Split::train;
}

int64_t number_of_prompts() {
  int64_t complaints = 0;
  for (const auto& problem : shop::problems()) {
    for (const auto complaint : problem.complaints) {
      complaints += complaint.find("{when}") == std::string_view::npos ? 1 : size_of(shop::times_past());
    }
  }
  return complaints * size_of(shop::items()) * size_of(shop::colours()) * size_of(shop::openings()) *
         size_of(shop::closings());
}

}  // namespace keel
