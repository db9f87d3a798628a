#include "keel/tokenizer/bpe_trainer.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/json.h"
#include "keel/tokenizer/bpe.h"
#include "keel/tokenizer/pre_tokenizer.h"
#include "keel/tokenizer/unicode.h"

namespace keel {
namespace {

// Of tokenizer.json as Meta publishes it for Llama 3.
constexpr const char* kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

using Pair = std::pair<TokenId, TokenId>;

struct PairHash {
  size_t operator()(const Pair& pair) const {
    return std::hash<uint64_t>()((static_cast<uint64_t>(static_cast<uint32_t>(pair.first)) << 32 |
                                  static_cast<uint32_t>(pair.second)) *
                                 0x9E3779B97F4A7C15u);
  }
};

// Learns the merges. Counts are kept up to date by what each merge changes; the queue's counts may be too
// high, and are corrected when they come up.
class MergeLearner {
 public:
  MergeLearner(const std::map<std::string, int64_t>& words, const std::vector<std::string>& special_tokens) {
    for (const std::string& token : special_tokens) id_of(token);
    std::map<char32_t, std::string> alphabet;  // in the order of the characters, not of the bytes
    for (int byte = 0; byte < 256; ++byte) {
      const std::string& character = byte_character(static_cast<uint8_t>(byte));
      size_t at = 0;
      alphabet[next_character(character, at)] = character;
    }
    for (const auto& [ignored, character] : alphabet) id_of(character);
    for (const auto& [word, count] : words) add_word(word, count);
    queue_new_pairs();
  }

  void learn(int64_t vocabulary_size, int64_t min_frequency) {
    while (static_cast<int64_t>(tokens_.size()) < vocabulary_size && !queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end());
      Candidate top = std::move(queue_.back());
      queue_.pop_back();
      const int64_t count = pair_counts_.at(top.pair);
      if (top.count != count) {
        top.count = count;
        push(std::move(top));
        continue;
      }
      if (count < 1 || count < min_frequency) break;
      merge(top);
    }
  }

  const std::vector<std::string>& tokens() const { return tokens_; }

  const std::vector<Pair>& merges() const { return merges_; }

 private:
  using WordList = std::vector<int32_t>;  // indices of words, ascending
  struct Candidate {
    int64_t count;
    Pair pair;
    WordList words;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  TokenId id_of(const std::string& token) {
    const auto [place, is_new] = ids_.emplace(token, static_cast<TokenId>(tokens_.size()));
    if (is_new) tokens_.push_back(token);
    return place->second;
  }

  void add_word(const std::string& word, int64_t count) {
    std::vector<TokenId> symbols;
    for (size_t at = 0; at < word.size();) {
      const size_t begin = at;
      next_character(word, at);
      symbols.push_back(ids_.at(word.substr(begin, at - begin)));
    }
    for (size_t i = 0; i + 1 < symbols.size(); ++i) change({symbols[i], symbols[i + 1]}, count);
    words_.push_back(std::move(symbols));
    word_counts_.push_back(count);
  }

  // More (or fewer) of a pair in the word at hand, which is the last one or `word_`.
  void change(Pair pair, int64_t by) {
    pair_counts_[pair] += by;
    if (by < 0) return;
    WordList& words = new_pairs_[pair];
    const auto word = static_cast<int32_t>(word_.value_or(words_.size()));
    if (words.empty() || words.back() != word) words.push_back(word);
  }

  void push(Candidate candidate) {
    queue_.push_back(std::move(candidate));
    std::push_heap(queue_.begin(), queue_.end());
  }

  void queue_new_pairs() {
    for (auto& [pair, words] : new_pairs_) {
      const int64_t count = pair_counts_.at(pair);
      if (count > 0) push({count, pair, std::move(words)});
    }
    new_pairs_.clear();
  }

  void merge(const Candidate& top) {
    const TokenId merged =
        id_of(tokens_[static_cast<size_t>(top.pair.first)] + tokens_[static_cast<size_t>(top.pair.second)]);
    merges_.push_back(top.pair);
    for (const int32_t word : top.words) {
      word_ = static_cast<size_t>(word);
      merge_in_word(top.pair, merged);
    }
    queue_new_pairs();
  }

  void merge_in_word(Pair pair, TokenId merged) {
    const std::vector<TokenId> old = std::move(words_[*word_]);
    const int64_t count = word_counts_[*word_];
    std::vector<TokenId> symbols;
    for (size_t i = 0; i < old.size(); ++i) {
      if (i + 1 == old.size() || Pair(old[i], old[i + 1]) != pair) {
        symbols.push_back(old[i]);
        continue;
      }
      if (!symbols.empty()) {
        change({symbols.back(), pair.first}, -count);
        change({symbols.back(), merged}, count);
      }
      if (i + 2 < old.size()) {
        change({pair.second, old[i + 2]}, -count);
        change({merged, old[i + 2]}, count);
      }
      symbols.push_back(merged);
      ++i;
    }
    words_[*word_] = std::move(symbols);
  }

  std::vector<std::string> tokens_;
  std::unordered_map<std::string, TokenId> ids_;
  std::vector<std::vector<TokenId>> words_;
  std::vector<int64_t> word_counts_;
  std::unordered_map<Pair, int64_t, PairHash> pair_counts_;
  std::unordered_map<Pair, WordList, PairHash> new_pairs_;  // and the words in which they arose
  std::vector<Candidate> queue_;                            // a heap
  std::vector<Pair> merges_;
  std::optional<size_t> word_;
};

Json byte_level(bool use_regex, bool add_prefix_space = false) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json pre_tokenizer_of(const std::string& pattern) {
  if (pattern == "gpt2") return byte_level(true);
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", kLlama3Pattern}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level(false)})}};
}

Json post_processor_of(const std::string& bos, TokenId bos_id) {
  if (bos.empty()) return byte_level(true);
  const auto special = [&](int type) { return Json{{"SpecialToken", {{"id", bos}, {"type_id", type}}}}; };
  const auto sequence = [](const char* name, int type) {
    return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  Json defined = Json::object();
  defined[bos] = {{"id", bos}, {"ids", Json::array({bos_id})}, {"tokens", Json::array({bos})}};
  const Json around = {{"type", "TemplateProcessing"},
                       {"single", Json::array({special(0), sequence("A", 0)})},
                       {"pair", Json::array({special(0), sequence("A", 0), special(1), sequence("B", 1)})},
                       {"special_tokens", defined}};
  return {{"type", "Sequence"}, {"processors", Json::array({byte_level(true), around})}};
}

Json added_token(const std::string& content) {
  return {{"content", content}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false},    {"normalized", false},  {"special", true}};
}

Json model_of(const MergeLearner& learner, bool ignore_merges) {
  Json vocabulary = Json::object(), merges = Json::array();
  auto& members =
      vocabulary.get_ref<Json::object_t&>();  // appending by key would search the whole list each time
  TokenId id = 0;
  for (const std::string& token : learner.tokens()) members.emplace_back(token, id++);
  const auto token = [&](TokenId of) { return learner.tokens()[static_cast<size_t>(of)]; };
  for (const auto& [left, right] : learner.merges())
    merges.push_back(Json::array({token(left), token(right)}));
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", ignore_merges},
          {"vocab", vocabulary},
          {"merges", merges}};
}

// tokenizer.json with the members and the order that the library writes.
Json description_of(const MergeLearner& learner, const BpeTrainerOptions& options) {
  Json added = Json::array();
  TokenId bos_id = 0;
  for (size_t id = 0; id < options.special_tokens.size(); ++id) {
    Json token = {{"id", id}};
    token.update(added_token(options.special_tokens[id]));
    added.push_back(token);
    if (options.special_tokens[id] == options.bos) bos_id = static_cast<TokenId>(id);
  }
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", pre_tokenizer_of(options.pattern)},
          {"post_processor", post_processor_of(options.bos, bos_id)},
          {"decoder", byte_level(true, true)},  // only the type counts there
          {"model", model_of(learner, options.pattern == "llama3")}};
}

Json roles_of(const BpeTrainerOptions& options) {
  Json roles = Json::object();
  if (!options.bos.empty()) roles["bos_token"] = options.bos;
  if (!options.eos.empty()) roles["eos_token"] = options.eos;
  if (!options.pad.empty()) roles["pad_token"] = options.pad;
  return roles;
}

Json config_of(const BpeTrainerOptions& options) {
  Json added = Json::object();
  for (size_t id = 0; id < options.special_tokens.size(); ++id)
    added[std::to_string(id)] = added_token(options.special_tokens[id]);
  Json config = {{"added_tokens_decoder", added},
                 {"clean_up_tokenization_spaces", false},
                 {"extra_special_tokens", Json::object()},
                 {"tokenizer_class", "PreTrainedTokenizerFast"}};
  config.update(roles_of(options));
  return config;
}

BpeTrainerOptions checked(BpeTrainerOptions options) {
  if (options.pattern != "gpt2" && options.pattern != "llama3")
    throw UsageError("tokenizer training", "expected the pattern gpt2 or llama3, got " + options.pattern);
  for (const std::string& token : {options.bos, options.eos, options.pad}) {
    std::vector<std::string>& special = options.special_tokens;
    if (!token.empty() && std::find(special.begin(), special.end(), token) == special.end())
      special.push_back(token);
  }
  std::vector<std::string> sorted = options.special_tokens;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i].empty() || !is_valid_utf8(sorted[i]))
      throw UsageError("tokenizer training",
                       "expected special tokens of UTF-8, got an empty or a broken one");
    if (i > 0 && sorted[i] == sorted[i - 1])
      throw UsageError("tokenizer training",
                       "expected different special tokens, got " + sorted[i] + " twice");
  }
  const auto least = static_cast<int64_t>(sorted.size()) + 256;
  if (options.vocabulary_size < least)
    throw UsageError("tokenizer training", "expected a vocabulary of at least " + std::to_string(least) +
                                               " (special tokens and 256 bytes), got " +
                                               std::to_string(options.vocabulary_size));
  return options;
}

std::map<std::string, int64_t> count_words(std::span<const std::string> texts, const std::string& pattern) {
  const TokenizerJson description = TokenizerJson::parse(pre_tokenizer_of(pattern).dump());
  const PreTokenizer pre_tokenizer(Component(description, pattern));
  std::unordered_map<std::string, int64_t> counts;
  for (const std::string& text : texts)
    for (std::string& word : pre_tokenizer(repair_utf8(text), true)) ++counts[std::move(word)];
  return {counts.begin(), counts.end()};
}

}  // namespace

void train_byte_level_bpe(std::span<const std::string> texts, const BpeTrainerOptions& given,
                          const std::filesystem::path& folder) {
  const BpeTrainerOptions options = checked(given);
  MergeLearner learner(count_words(texts, options.pattern), options.special_tokens);
  learner.learn(options.vocabulary_size, options.min_frequency);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw Error(folder.string(), "cannot make this folder: " + error.message());
  write_file_atomically(folder / "tokenizer.json", json_text(description_of(learner, options), 2));
  write_file_atomically(folder / "tokenizer_config.json", json_text(config_of(options), 2) + "\n");
  write_file_atomically(folder / "special_tokens_map.json", json_text(roles_of(options), 2) + "\n");
}

}  // namespace keel
