// Trains a byte-level BPE tokenizer and writes it as a Hugging Face folder.
// Sennrich et al. 2016, algorithm 1, over GPT-2's byte alphabet. Equal to BpeTrainer of the `tokenizers`
// library, so that the same texts give the same merges: the most frequent pair first, of equally frequent
// ones the pair with the smaller ids. Deterministic; the order of the texts does not matter.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace keel {

struct BpeTrainerOptions {
  int64_t vocabulary_size = 0;              // special tokens, 256 bytes and merges; fewer when pairs run out
  std::vector<std::string> special_tokens;  // get the first ids, in this order
  std::string bos, eos, pad;     // by role, empty for none; added to the special tokens when not there
  std::string pattern = "gpt2";  // how words are cut: "gpt2" or "llama3"
  int64_t min_frequency = 0;     // pairs seen less often are not merged
};

/// Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json into `folder`, which is made when
/// missing. With a `bos`, every encoded text begins with it. Broken UTF-8 in the texts counts as U+FFFD.
/// Errors: UsageError for an unknown pattern or a vocabulary without room for the special tokens and 256
/// bytes.
void train_byte_level_bpe(std::span<const std::string> texts, const BpeTrainerOptions& options,
                          const std::filesystem::path& folder);

}  // namespace keel
