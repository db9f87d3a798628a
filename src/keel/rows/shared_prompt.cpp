#include "keel/rows/shared_prompt.h"

#include <algorithm>

namespace keel {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

bool within_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// How far two lists or texts are the same.
template <class Sequence>
size_t common_size(const Sequence& a, const Sequence& b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// The same, but each keeps a rest of at least one.
template <class Sequence>
size_t common_beginning(const Sequence& a, const Sequence& b) {
  return std::min(common_size(a, b), std::min(a.size(), b.size()) - 1);
}

size_t prompt_size(const std::string& a, const std::string& b, PromptEnd end) {
  size_t size = common_beginning(a, b);
  if (end == PromptEnd::word) {
    while (size > 0 && (!is_space(a[size]) || is_space(a[size - 1]))) --size;
    return size;
  }
  while (size > 0 && within_character(a[size])) --size;
  const bool differ = common_size(a, b) < std::min(a.size(), b.size());
  return size - (differ && size > 0 && a[size - 1] == ' ');
}

// Moves what both begin with from the sides to the prompt.
template <class Sequence>
bool move_shared(Sequence& prompt, Sequence& chosen, Sequence& rejected, size_t size) {
  const auto shared = static_cast<std::ptrdiff_t>(size);
  prompt.assign(chosen.begin(), chosen.begin() + shared);
  for (Sequence* side : {&chosen, &rejected}) side->erase(side->begin(), side->begin() + shared);
  return size > 0;
}

}  // namespace

void split_off_prompt(Row& row, PromptEnd end) {
  Passage &chosen = row.completions[0], &rejected = row.completions[1];
  row.prompt = {};
  row.has_prompt = false;
  if (chosen.has_ids != rejected.has_ids) return;
  row.prompt.has_ids = chosen.has_ids;
  if (chosen.has_ids)
    row.has_prompt =
        move_shared(row.prompt.ids, chosen.ids, rejected.ids, common_beginning(chosen.ids, rejected.ids));
  else if (!chosen.messages.empty())
    row.has_prompt = move_shared(row.prompt.messages, chosen.messages, rejected.messages,
                                 common_beginning(chosen.messages, rejected.messages));
  else
    row.has_prompt = move_shared(row.prompt.text, chosen.text, rejected.text,
                                 prompt_size(chosen.text, rejected.text, end));
}

}  // namespace keel
