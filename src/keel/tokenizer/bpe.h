// Byte-pair encoding of one word (Sennrich et al. 2016): of all neighbours, the pair with the lowest rank
// among the merges becomes one token, again and again. Equal to the BPE of the `tokenizers` library, its
// corner cases included: what happens to unknown characters between byte tokens, and to two pairs that make
// the same token.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "keel/tokenizer/component.h"

namespace keel {

using TokenId = int32_t;

/// A string's hash that also takes a string_view, so that a search makes no copy.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using Vocabulary = std::unordered_map<std::string, TokenId, TextHash, std::equal_to<>>;

/// What a pair of neighbours becomes, and how early.
struct BpeMerge {
  int32_t rank;
  TokenId merged;
};

/// Pairs of ids and what they become: open addressing with linear probing, because encoding asks it for every
/// pair it sees.
class MergeTable {
 public:
  explicit MergeTable(size_t pairs);
  /// A pair that is there already takes the new value.
  void insert(TokenId left, TokenId right, BpeMerge merge);
  const BpeMerge* find(TokenId left, TokenId right) const;

 private:
  struct Slot {
    uint64_t pair = UINT64_MAX;  // left << 32 | right; ids are not negative, so no pair has this value
    BpeMerge merge{};
  };
  size_t slot_of(uint64_t pair) const;

  std::vector<Slot> slots_;  // a power of two, at most half full
};

class WordCache;

/// Encoding may run in several threads at once.
class BpeModel {
 public:
  /// The "model" of tokenizer.json. Errors: [component] a type other than BPE, dropout, prefixes or suffixes
  /// of subwords, ids that are negative, too large or given twice, merges of tokens that are not in the
  /// vocabulary.
  explicit BpeModel(const Component& model);
  ~BpeModel();

  /// Appends the ids of a word, valid UTF-8.
  void encode(std::string_view word, std::vector<int64_t>& ids) const;

  std::optional<TokenId> id_of(std::string_view token) const;
  /// Null when no token has this id.
  const std::string* token_of(int64_t id) const;
  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  void read_vocabulary(const Component& model);
  void read_merges(const Component& model);
  void read_byte_tokens();
  std::vector<TokenId> first_symbols(std::string_view word) const;

  Vocabulary vocabulary_;
  std::unordered_map<TokenId, const std::string*> tokens_;
  MergeTable merges_{0};
  std::optional<TokenId> unknown_;
  bool fuse_unknown_ = false, byte_fallback_ = false, ignore_merges_ = false;
  std::vector<std::optional<TokenId>> byte_tokens_;  // of "<0x00>" to "<0xFF>"
  std::unique_ptr<WordCache> cache_;
};

}  // namespace keel
