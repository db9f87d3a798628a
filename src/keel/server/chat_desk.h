// A dialogue with a model in which every turn has two answers, and the one that is chosen goes on: each turn
// is a comparison (Bai et al. 2022, "Training a Helpful and Harmless Assistant", section 2.2). In red-team
// mode people try to make the model say what it should not, and rate at the end how far it went (Ganguli et
// al. 2022).
//
// The page holds the dialogue and sends it whole; the store gets each turn as a prompt with two completions,
// and what is chosen through LabelDesk::submit, as a judgement without a task.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "keel/base/json.h"
#include "keel/feedback/store.h"
#include "keel/rows/rows.h"
#include "keel/server/label_hooks.h"

namespace keel {

/// Safe to use from several threads: turns are answered one after the other.
class ChatDesk {
 public:
  ChatDesk(feedback::Store& store, Chat chat) : store_(store), chat_(std::move(chat)) {}

  /// {messages: [{role: user | assistant, content}, ...], mode: "chat" | "red-team"}, the last message being
  /// the user's → {prompt, completions: [{id, text, html}, {id, text, html}]}. Two answers that are equal
  /// come as they are: the page lets a tie be said. Errors: BadRequest for roles that do not alternate, empty
  /// or overlong texts, more than kMostMessages.
  Json say(const Json& request);

  static constexpr size_t kMostMessages = 100, kLongestMessage = 8000;

 private:
  std::vector<std::string> answers_to(const std::string& prompt);

  feedback::Store& store_;
  const Chat chat_;
  std::mutex mutex_;
};

}  // namespace keel
