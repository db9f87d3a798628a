#include "keel/server/chat_desk.h"

#include "keel/rows/messages.h"
#include "keel/server/markdown.h"
#include "keel/server/requests.h"

namespace keel {
namespace {

constexpr int kDraws = 4;  // of a second answer, until it is another one

std::vector<Message> messages_in(const Json& request) {
  const Json& list = member(request, "messages");
  if (!list.is_array() || list.empty() || list.size() > ChatDesk::kMostMessages)
    throw BadRequest("expected 1 to " + std::to_string(ChatDesk::kMostMessages) + " messages");
  std::vector<Message> messages;
  for (const Json& message : list) {
    const std::string wanted = messages.size() % 2 == 0 ? "user" : "assistant";
    if (text_member(message, "role") != wanted)
      throw BadRequest("expected messages of user and assistant in turn, the user's first");
    messages.push_back({wanted, text_member(message, "content", ChatDesk::kLongestMessage)});
  }
  if (messages.size() % 2 == 0) throw BadRequest("expected a message of the user at the end");
  return messages;
}

// "chat" or "red-team".
std::string mode_in(const Json& request) {
  const std::string mode = text_member(request, "mode");
  if (mode != "chat" && mode != "red-team") throw BadRequest("expected chat or red-team as mode");
  return mode;
}

std::string prompt_of(std::vector<Message> messages) {
  Row row{.kind = RowKind::prompt, .has_prompt = true};
  row.prompt.messages = std::move(messages);
  render_messages(row);
  return row.prompt.text;
}

// A completion begins with the space behind "Assistant:".
std::string without_edges(const std::string& text) {
  const size_t first = text.find_first_not_of(" \n\t"), last = text.find_last_not_of(" \n\t");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

}  // namespace

std::vector<std::string> ChatDesk::answers_to(const std::string& prompt) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> answers = chat_.answer(prompt, 2);
  for (int draw = 0; draw < kDraws && answers.at(0) == answers.at(1); ++draw)
    answers[1] = chat_.answer(prompt, 1).at(0);
  return answers;
}

Json ChatDesk::say(const Json& request) {
  const std::string mode = mode_in(request), prompt = prompt_of(messages_in(request));
  const std::vector<std::string> answers = answers_to(prompt);
  Json answer = {{"completions", Json::array()}};
  store_.in_one_commit([&] {
    const int64_t id = store_.add_prompt({.text = prompt});
    answer["prompt"] = id;
    for (const std::string& text : answers) {
      const int64_t completion = store_.add_completion({.prompt = id,
                                                        .passage = {.text = text.empty() ? " " : text},
                                                        .model = chat_.model,
                                                        .sampling = {{"mode", mode}}});
      const std::string shown = without_edges(text);
      answer["completions"].push_back({{"id", completion}, {"text", shown}, {"html", markdown_html(shown)}});
    }
  });
  return answer;
}

}  // namespace keel
