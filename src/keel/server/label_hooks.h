// What the label page needs from the rest of the program. Each may be empty: the page then leaves that part
// out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace keel {

/// A model that people talk to.
struct Chat {
  std::string model = {};  // the name under which its answers are kept
  /// `count` answers to a dialogue that ends with "\n\nAssistant:". Called by one thread at a time. Empty:
  /// there is no chat.
  std::function<std::vector<std::string>(const std::string& prompt, int64_t count)> answer = {};
};

struct LabelHooks {
  Chat chat = {};

  /// The reward model's score of a completion in the store, for the agreement shown. Called once a completion
  /// and reward model, while the reader waits: look it up rather than work it out. Nothing: unknown.
  std::function<std::optional<double>(int64_t completion_id)> reward = {};
  /// Trains again on the store up to this event and returns the new run's folder. Runs on a thread of its
  /// own, one at a time; the store may be read meanwhile. `reward` answers for the new model from then on.
  std::function<std::string(int64_t last_event)> train = {};
  /// Ids as text, for what the store holds as ids alone. Without it the ids themselves are shown.
  std::function<std::string(const std::vector<int64_t>& ids)> decode = {};
};

}  // namespace keel
