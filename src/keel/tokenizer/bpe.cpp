#include "keel/tokenizer/bpe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <queue>

#include "keel/tokenizer/unicode.h"

namespace keel {

// The ids of words seen before. Text repeats its words, so most of them are found here. Threads meet only at
// the lock of one of the shards; a full shard takes no more.
class WordCache {
 public:
  bool find(std::string_view word, std::vector<int64_t>& ids) {
    Shard& shard = shard_of(word);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.words.find(word);
    if (found == shard.words.end()) return false;
    ids.insert(ids.end(), found->second.begin(), found->second.end());
    return true;
  }

  void insert(std::string_view word, const std::vector<TokenId>& ids) {
    if (word.size() > 64) return;
    Shard& shard = shard_of(word);
    const std::lock_guard lock(shard.mutex);
    if (shard.words.size() < 8192) shard.words.emplace(word, ids);
  }

 private:
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::vector<TokenId>, TextHash, std::equal_to<>> words;
  };
  Shard& shard_of(std::string_view word) { return shards_[TextHash()(word) / 64 % shards_.size()]; }

  std::array<Shard, 16> shards_;
};

namespace {

uint64_t pair_key(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

TokenId vocabulary_id(const Component& model, const std::string& token, const TokenizerJson& id) {
  const bool fits = id.is_number_integer() && id >= 0 && id <= INT32_MAX - 1;
  if (!fits)
    model.fail("expected an id from 0 to 2147483646 for the token " + quoted_excerpt(token) + ", got " +
               quoted_excerpt(id));
  return id.get<TokenId>();
}

// "a b" or ["a", "b"].
std::pair<std::string, std::string> merge_pair(const Component& model, const TokenizerJson& merge) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ');
    if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos)
      return {text.substr(0, space), text.substr(space + 1)};
  }
  model.fail("expected merges of two tokens, got " + quoted_excerpt(merge));
}

// Symbols of a word as a linked list, and the queue of merges that were possible when they were noted. Merges
// come by rank, then from the left. A noted merge counts if its two symbols still make the same token.
class WordMerger {
 public:
  WordMerger(std::vector<TokenId>& symbols, const MergeTable& merges) : ids_(symbols), merges_(merges) {}

  void run() {
    const auto size = static_cast<int32_t>(ids_.size());
    links_.resize(ids_.size());
    for (int32_t i = 0; i < size; ++i) links_[at(i)] = {i - 1, i + 1 < size ? i + 1 : -1};
    for (int32_t i = 0; i < size; ++i) note(i);
    while (!noted_.empty()) {
      const Noted top = noted_.top();
      noted_.pop();
      merge(top);
    }
    std::erase(ids_, kRemoved);
  }

 private:
  static constexpr TokenId kRemoved = -1;
  struct Links {
    int32_t previous, next;  // -1: none
  };
  struct Noted {
    int32_t rank, position;
    TokenId merged;
    bool operator<(const Noted& other) const {  // std::priority_queue gives the greatest first
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };

  static size_t at(int32_t position) { return static_cast<size_t>(position); }

  // Notes the merge of the symbol at `position` with the next one, if there is one.
  void note(int32_t position) {
    const int32_t next = links_[at(position)].next;
    if (next < 0) return;
    const BpeMerge* merge = merges_.find(ids_[at(position)], ids_[at(next)]);
    if (merge != nullptr) noted_.push({merge->rank, position, merge->merged});
  }

  void merge(const Noted& noted) {
    Links& links = links_[at(noted.position)];
    if (ids_[at(noted.position)] == kRemoved || links.next < 0) return;
    const int32_t right = links.next;
    const BpeMerge* now = merges_.find(ids_[at(noted.position)], ids_[at(right)]);
    if (now == nullptr || now->merged != noted.merged) return;
    ids_[at(noted.position)] = noted.merged;
    ids_[at(right)] = kRemoved;
    links.next = links_[at(right)].next;
    if (links.next >= 0) links_[at(links.next)].previous = noted.position;
    if (links.previous >= 0) note(links.previous);
    note(noted.position);
  }

  std::vector<TokenId>& ids_;
  const MergeTable& merges_;
  std::vector<Links> links_;
  std::priority_queue<Noted> noted_;
};

}  // namespace

MergeTable::MergeTable(size_t pairs) : slots_(std::bit_ceil(2 * pairs + 2)) {}

size_t MergeTable::slot_of(uint64_t pair) const {
  // Fibonacci hashing: the product's high bits depend on all bits of the pair.
  size_t slot = pair * 0x9E3779B97F4A7C15u >> (65 - std::bit_width(slots_.size()));
  while (slots_[slot].pair != pair && slots_[slot].pair != UINT64_MAX)
    slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

void MergeTable::insert(TokenId left, TokenId right, BpeMerge merge) {
  const uint64_t pair = pair_key(left, right);
  slots_[slot_of(pair)] = {pair, merge};
}

const BpeMerge* MergeTable::find(TokenId left, TokenId right) const {
  const Slot& slot = slots_[slot_of(pair_key(left, right))];
  return slot.pair == UINT64_MAX ? nullptr : &slot.merge;
}

BpeModel::BpeModel(const Component& model) : cache_(std::make_unique<WordCache>()) {
  const std::string type = model.text("type", "BPE");  // GPT-2's older files do not say it
  if (type != "BPE") fail_unsupported(model, type, {"BPE"});
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model.text(affix, "").empty())
      model.fail("expected no \"" + std::string(affix) + "\", got " + quoted_excerpt(model.text(affix)) +
                 ": Keel cannot use this tokenizer");
  if (model.has("dropout") && model.member("dropout") != 0)
    model.fail("expected no \"dropout\", got " + quoted_excerpt(model.member("dropout")) +
               ": set it to null, since equal texts must get equal ids");
  read_vocabulary(model);
  read_merges(model);
  fuse_unknown_ = model.flag("fuse_unk", false);
  ignore_merges_ = model.flag("ignore_merges", false);
  byte_fallback_ = model.flag("byte_fallback", false);
  if (byte_fallback_) read_byte_tokens();
  if (!model.has("unk_token")) return;
  unknown_ = id_of(model.text("unk_token"));
  if (!unknown_)
    model.fail("expected an \"unk_token\" of the vocabulary, got " + quoted_excerpt(model.text("unk_token")));
}

BpeModel::~BpeModel() = default;

void BpeModel::read_vocabulary(const Component& model) {
  const Component vocabulary = model.child("vocab");
  vocabulary_.reserve(vocabulary.value().size());
  for (const auto& [token, id] : vocabulary.value().items()) {
    const auto place = vocabulary_.emplace(token, vocabulary_id(vocabulary, token, id)).first;
    if (tokens_.emplace(place->second, &place->first).second) continue;
    vocabulary.fail("expected an id of its own for the token " + quoted_excerpt(token) + ", got " +
                    std::to_string(place->second) + ", the id of " +
                    quoted_excerpt(*tokens_.at(place->second)));
  }
  if (vocabulary_.empty()) vocabulary.fail("expected tokens, got none");
}

void BpeModel::read_merges(const Component& model) {
  const TokenizerJson& merges = model.member("merges");
  if (!merges.is_array()) model.fail("expected a list for \"merges\", got " + quoted_excerpt(merges));
  merges_ = MergeTable(merges.size());
  int32_t rank = 0;
  for (const TokenizerJson& merge : merges) {
    if (merge.is_string() && merge.get_ref<const std::string&>().starts_with("#version")) continue;
    const auto [left, right] = merge_pair(model, merge);
    const auto left_id = id_of(left), right_id = id_of(right), merged = id_of(left + right);
    if (!left_id || !right_id || !merged)
      model.fail("expected merges of tokens of the vocabulary, got " + quoted_excerpt(merge) + ", and " +
                 quoted_excerpt(!left_id    ? left
                                : !right_id ? right
                                            : left + right) +
                 " is not in it");
    merges_.insert(*left_id, *right_id, {rank++, *merged});
  }
}

void BpeModel::read_byte_tokens() {
  for (int byte = 0; byte < 256; ++byte) {
    std::string token = "<0x00>";
    token[3] = "0123456789ABCDEF"[byte >> 4];
    token[4] = "0123456789ABCDEF"[byte & 15];
    byte_tokens_.push_back(id_of(token));
  }
}

std::optional<TokenId> BpeModel::id_of(std::string_view token) const {
  const auto found = vocabulary_.find(token);
  if (found == vocabulary_.end()) return std::nullopt;
  return found->second;
}

const std::string* BpeModel::token_of(int64_t id) const {
  if (id < 0 || id > INT32_MAX) return nullptr;
  const auto found = tokens_.find(static_cast<TokenId>(id));
  return found == tokens_.end() ? nullptr : found->second;
}

void BpeModel::encode(std::string_view word, std::vector<int64_t>& ids) const {
  if (ignore_merges_) {
    if (const auto id = id_of(word)) return ids.push_back(*id);
  }
  if (cache_->find(word, ids)) return;
  std::vector<TokenId> symbols = first_symbols(word);
  if (symbols.size() > 1) WordMerger(symbols, merges_).run();
  cache_->insert(word, symbols);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

// The word's characters as tokens; for one that is no token its bytes if all of them are, else the unknown
// token. An unknown token waits until the next known character, so that byte tokens overtake it.
std::vector<TokenId> BpeModel::first_symbols(std::string_view word) const {
  std::vector<TokenId> symbols;
  bool unknown_waits = false;
  const auto put_unknown = [&] {
    if (unknown_waits) symbols.push_back(*unknown_);
    unknown_waits = false;
  };
  for (size_t at = 0; at < word.size();) {
    const size_t begin = at;
    next_character(word, at);
    const std::string_view character = word.substr(begin, at - begin);
    if (const auto id = id_of(character)) {
      put_unknown();
      symbols.push_back(*id);
      continue;
    }
    const auto token_of_byte = [&](char byte) { return byte_tokens_[static_cast<uint8_t>(byte)]; };
    const auto is_token = [&](char byte) { return token_of_byte(byte).has_value(); };
    if (byte_fallback_ && std::all_of(character.begin(), character.end(), is_token)) {
      for (const char byte : character) symbols.push_back(*token_of_byte(byte));
    } else if (unknown_) {
      if (!fuse_unknown_) put_unknown();
      unknown_waits = true;
    }
  }
  put_unknown();
  return symbols;
}

}  // namespace keel
