#include "keel/rows/messages.h"

#include <algorithm>
#include <array>
#include <span>

namespace keel {
namespace {

struct Speaker {
  std::string_view role, name;
};
constexpr std::array<Speaker, 4> kSpeakers = {
    {{"system", "System"}, {"user", "Human"}, {"assistant", "Assistant"}, {"tool", "Tool"}}};

const Speaker* speaker_of(std::string_view role) {
  const auto found =
      std::find_if(kSpeakers.begin(), kSpeakers.end(), [&](const Speaker& s) { return s.role == role; });
  return found == kSpeakers.end() ? nullptr : &*found;
}

std::string header(const std::string& role) {
  return "\n\n" + std::string(speaker_of(role)->name) + ":";
}

std::string plain_text(std::span<const Message> messages) {
  std::string text;
  for (const Message& message : messages) text += header(message.role) + " " + message.content;
  return text;
}

Message message_of(const Json& value, const std::string& name, const Fields& fields) {
  for (const auto& [key, field] : fields.object_of(value, name).items())
    if (key != "role" && key != "content" && !field.is_null())
      fields.fail("expected `role` and `content` in a message of `" + name + "`, got " + quoted_start(key) +
                  ", too");
  const auto text = [&](const char* key) {
    const auto found = value.find(key);
    return fields.text_of(found == value.end() ? Json() : *found, name + "." + key);
  };
  Message message{text("role"), text("content")};
  if (speaker_of(message.role) == nullptr)
    fields.fail("expected system, user, assistant or tool for `" + name + ".role`, got " +
                quoted_start(message.role));
  return message;
}

bool begins_with_assistant(const Passage& passage) {
  return passage.messages.front().role == "assistant";
}

}  // namespace

bool is_conversation(const Json& value) {
  return value.is_array() && !value.empty() && value.front().is_object();
}

std::vector<Message> messages_of(const Json& list, const std::string& name, const Fields& fields) {
  std::vector<Message> messages;
  messages.reserve(fields.list_of(list, name).size());
  for (const Json& message : list) messages.push_back(message_of(message, name, fields));
  return messages;
}

Json messages_json(const std::vector<Message>& messages) {
  Json list = Json::array();
  for (const Message& message : messages)
    list.push_back({{"role", message.role}, {"content", message.content}});
  return list;
}

void render_messages(Row& row) {
  std::vector<Passage*> completions;
  for (Passage& passage : row.completions)
    if (!passage.messages.empty()) completions.push_back(&passage);
  const auto& prompt = row.prompt.messages;
  const bool answered = std::all_of(completions.begin(), completions.end(),
                                    [](const Passage* passage) { return begins_with_assistant(*passage); });
  const bool open = completions.empty() && !prompt.empty() && prompt.back().role == "assistant";
  const bool at_prompt = !prompt.empty() && answered && !open;
  if (!prompt.empty()) row.prompt.text = plain_text(prompt) + (at_prompt ? header("assistant") : "");
  for (Passage* passage : completions)
    passage->text = plain_text(passage->messages).substr(at_prompt ? header("assistant").size() : 0);
}

}  // namespace keel
