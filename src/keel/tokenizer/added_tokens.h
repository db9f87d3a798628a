// Tokens that are found in the text itself, before it is cut into words: special ones and those of the user.
// Equal to AddedVocabulary of the `tokenizers` library: the leftmost match wins, of those the longest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keel/tokenizer/bpe.h"

namespace keel {

struct AddedToken {
  std::string content;
  TokenId id = -1;
  bool single_word = false;  // matches only where no word character touches it
  bool lstrip = false;       // takes the white space on its left
  bool rstrip = false;       // and on its right
  bool normalized = false;   // is normalized, and sought in the normalized text
  bool special = false;      // decoding can leave it out
};

/// A stretch of text, or an added token.
struct TextPiece {
  std::string_view text;  // empty for a token
  TokenId token;          // -1: text
};

/// Finds one set of added tokens. Thread-safe.
class AddedTokenFinder {
 public:
  AddedTokenFinder();
  /// `pattern`: the token's text, normalized or not. Of two equal patterns the first counts; an empty one
  /// never matches.
  void add(const std::string& pattern, const AddedToken& token);
  /// Cuts `text`, valid UTF-8. No piece of text is empty.
  std::vector<TextPiece> split(std::string_view text) const;

 private:
  // A trie over bytes, its children kept as sibling lists: patterns are few and short.
  struct Node {
    char byte;
    int32_t child, sibling, token;  // indices; -1: none
  };
  int32_t child_of(int32_t node, char byte) const;
  /// The longest pattern that starts at `begin`: its token and end, or -1.
  int32_t longest_match(std::string_view text, size_t begin, size_t& end) const;

  std::vector<Node> nodes_;
  std::vector<AddedToken> tokens_;
  std::vector<bool> first_bytes_;
};

}  // namespace keel
