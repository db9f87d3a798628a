// Text to token ids and back, as Hugging Face's `tokenizers` 0.22 does: the same ids, the same text.
//
//   text → UTF-8 repaired → added tokens cut out → normalizer → added tokens cut out again
//        → pre-tokenizer → BPE → post-processor (the special tokens around a text)
//
// Read from tokenizer.json, or from vocab.json and merges.txt as transformers converts them (GPT-2, Qwen2). A
// component that Keel does not know is refused by name, never skipped. Departures from the library and
// transformers: broken UTF-8 in a text becomes U+FFFD (Python strings hold none), truncation and padding in
// the file are ignored (as transformers does), and transformers' `clean_up_tokenization_spaces`, which
// changes decoded text, is not done.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

/// A value that may be copied; copies share the loaded tables. All members may be called from several
/// threads.
class Tokenizer {
 public:
  /// A Hugging Face model folder. Beside the tokenizer itself it reads tokenizer_config.json,
  /// special_tokens_map.json and added_tokens.json for the special tokens. Errors: [file: component] no
  /// tokenizer there, damaged JSON, an unknown component, inconsistent ids.
  static Tokenizer load(const std::filesystem::path& folder);

  /// Any bytes. Special tokens written in the text become their ids, as in the library.
  /// Errors: [pattern] a pattern of the file that needs too many steps on this text.
  std::vector<int64_t> encode(std::string_view text, bool add_special_tokens = true) const;

  /// The ids of a completion under the boundary "separate": those of the same tokenizer without its
  /// post-processor and without what it puts in front of a text (the Prepend normalizer, add_prefix_space).
  std::vector<int64_t> encode_completion(std::string_view text) const;

  /// Ids without a token are left out, as the library does. The text is valid UTF-8.
  std::string decode(std::span<const int64_t> ids, bool skip_special_tokens = true) const;

  /// What decoding prompt and completion together adds to decoding the prompt: their common beginning is
  /// taken off.
  std::string decode_completion(std::span<const int64_t> prompt, std::span<const int64_t> completion) const;

  std::optional<int64_t> id_of(std::string_view token) const;
  /// As it stands in the vocabulary ("Ġthe"). Errors: no token has this id.
  std::string token_of(int64_t id) const;
  std::optional<int64_t> bos_id() const;
  std::optional<int64_t> eos_id() const;
  std::optional<int64_t> pad_id() const;
  std::optional<int64_t> unk_id() const;
  bool is_special(int64_t id) const;
  /// The highest id and one: the rows that an embedding needs. Without gaps, the number of tokens.
  int64_t size() const;

  /// Writes the files that it was loaded from, byte for byte, into an existing folder.
  void save(const std::filesystem::path& folder) const;

 private:
  struct Parts;
  explicit Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

  std::shared_ptr<const Parts> parts_;
};

}  // namespace keel
