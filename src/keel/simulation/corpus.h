// Generated text of the shop's help desk: the demo's pretraining corpus, demonstrations and prompts.
//
// A document is a prompt and a completion, joined without anything between them:
//   prompt      "Customer: hello, my blue kettle arrived broken. please help.\nClerk:"
//   completion  " I am sorry about the kettle. I will send a new one today."
// The completion begins with the space, and the end of sequence follows its last full stop.
//
// Every draw has its own key (seed, use, index): document i is the same however many are asked for. All
// training text (corpus, demonstrations, train prompts) takes its prompts from one side of a fixed hash of
// the prompt, the held-out prompts from the other, so that no seed can make them meet.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

struct Demonstration {
  std::string prompt;
  std::string completion;
};

/// Documents with all sorts of clerks: careful, curt, rude, rambling, off the topic, repeating, confused,
/// hasty.
std::vector<std::string> generate_corpus(uint64_t seed, int64_t documents);

/// Answers by acceptable clerks of mixed skill: no rude ones, few perfect ones.
std::vector<Demonstration> generate_demonstrations(uint64_t seed, int64_t count);

enum class Split { train, held_out };

/// `count` different prompts of one side. Errors: [generate_prompts] more than a tenth of what the grammar
/// can say.
std::vector<std::string> generate_prompts(uint64_t seed, int64_t count, Split split);

/// The side of a prompt: one in eight is held out.
Split split_of(std::string_view prompt);

/// How many different prompts the grammar can say.
int64_t number_of_prompts();

}  // namespace keel
