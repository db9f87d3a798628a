#include "keel/tokenizer/added_tokens.h"

#include <algorithm>

#include "keel/tokenizer/split_pattern.h"
#include "keel/tokenizer/unicode.h"

namespace keel {
namespace {

// Where the character that ends at `end` begins.
size_t character_before(std::string_view text, size_t end) {
  do --end;
  while ((static_cast<uint8_t>(text[end]) & 0xC0) == 0x80);
  return end;
}

// \w of Rust's regex crate: Unicode Technical Standard 18, annex C.
bool is_word_character(std::string_view character) {
  static const SplitPattern word =
      SplitPattern::regex(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}])");
  return word.parts(character).front().match;
}

bool touches_word(std::string_view text, size_t begin, size_t end) {
  if (begin > 0) {
    const size_t before = character_before(text, begin);
    if (is_word_character(text.substr(before, begin - before))) return true;
  }
  return end < text.size() && is_word_character(text.substr(end, scan_character(text, end).length));
}

size_t skip_space_left(std::string_view text, size_t begin, size_t limit) {
  while (begin > limit) {
    size_t before = character_before(text, begin), at = before;
    if (!is_white_space(next_character(text, at))) break;
    begin = before;
  }
  return begin;
}

size_t skip_space_right(std::string_view text, size_t end) {
  for (size_t at = end; at < text.size(); end = at)
    if (!is_white_space(next_character(text, at))) break;
  return end;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder() : nodes_{{'\0', -1, -1, -1}}, first_bytes_(256, false) {}

int32_t AddedTokenFinder::child_of(int32_t node, char byte) const {
  int32_t child = nodes_[static_cast<size_t>(node)].child;
  while (child >= 0 && nodes_[static_cast<size_t>(child)].byte != byte)
    child = nodes_[static_cast<size_t>(child)].sibling;
  return child;
}

void AddedTokenFinder::add(const std::string& pattern, const AddedToken& token) {
  if (pattern.empty()) return;
  int32_t node = 0;
  for (const char byte : pattern) {
    int32_t child = child_of(node, byte);
    if (child < 0) {
      child = static_cast<int32_t>(nodes_.size());
      nodes_.push_back({byte, -1, nodes_[static_cast<size_t>(node)].child, -1});
      nodes_[static_cast<size_t>(node)].child = child;
    }
    node = child;
  }
  first_bytes_[static_cast<uint8_t>(pattern.front())] = true;
  if (nodes_[static_cast<size_t>(node)].token >= 0) return;
  nodes_[static_cast<size_t>(node)].token = static_cast<int32_t>(tokens_.size());
  tokens_.push_back(token);
}

int32_t AddedTokenFinder::longest_match(std::string_view text, size_t begin, size_t& end) const {
  int32_t token = -1, node = 0;
  for (size_t at = begin; at < text.size(); ++at) {
    node = child_of(node, text[at]);
    if (node < 0) break;
    if (nodes_[static_cast<size_t>(node)].token < 0) continue;
    token = nodes_[static_cast<size_t>(node)].token;
    end = at + 1;
  }
  return token;
}

std::vector<TextPiece> AddedTokenFinder::split(std::string_view text) const {
  std::vector<TextPiece> pieces;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    size_t match_end = 0;
    const bool possible = first_bytes_[static_cast<uint8_t>(text[at])];
    const int32_t found = possible ? longest_match(text, at, match_end) : -1;
    if (found < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(found)];
    size_t begin = at;
    at = match_end;  // the search goes on behind the match, whatever becomes of it
    if (token.single_word && touches_word(text, begin, match_end)) continue;
    if (token.lstrip) begin = std::max(skip_space_left(text, begin, done), done);
    const size_t end = token.rstrip ? skip_space_right(text, match_end) : match_end;
    if (done < begin) pieces.push_back({text.substr(done, begin - done), -1});
    pieces.push_back({{}, token.id});
    done = end;
  }
  if (done < text.size()) pieces.push_back({text.substr(done), -1});
  return pieces;
}

}  // namespace keel
