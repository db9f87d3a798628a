#include "keel/tokenizer/tokenizer.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/tokenizer/added_tokens.h"
#include "keel/tokenizer/bpe.h"
#include "keel/tokenizer/decoder.h"
#include "keel/tokenizer/normalizer.h"
#include "keel/tokenizer/post_processor.h"
#include "keel/tokenizer/pre_tokenizer.h"
#include "keel/tokenizer/tokenizer_folder.h"
#include "keel/tokenizer/unicode.h"

namespace keel {

struct Tokenizer::Parts {
  explicit Parts(TokenizerFolder folder);

  // The ids of a text without the special tokens around it.
  void encode(std::string_view text, bool dummy_prefix, std::vector<int64_t>& ids) const;
  std::optional<TokenId> id_of(std::string_view token) const;
  const std::string* token_of(int64_t id) const;
  const AddedToken* added_token(int64_t id) const;
  std::optional<int64_t> named_id(const std::optional<std::string>& token) const;

  std::map<std::string, std::string> files;
  NamedTokens named;
  BpeModel model;
  TextNormalizer normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  TokenDecoder decoder;
  std::map<int64_t, AddedToken> added;  // by id
  std::map<std::string, TokenId, std::less<>> added_ids;
  int64_t size = 0;
  // Added tokens sought in the raw text; in the normalized text; in the normalized text of a completion.
  AddedTokenFinder raw, normalized, completion;

 private:
  void add_token(AddedToken token, const Component& description);
  void fill_finders();
};

namespace {

template <class Part>
Part optional_part(const Component& description, const char* name) {
  return description.has(name) ? Part(description.child(name)) : Part();
}

}  // namespace

Tokenizer::Parts::Parts(TokenizerFolder folder)
    : files(std::move(folder.files)),
      named(std::move(folder.named)),
      model(Component(folder.description, folder.main_file).child("model")) {
  const Component description(folder.description, folder.main_file);
  normalizer = optional_part<TextNormalizer>(description, "normalizer");
  pre_tokenizer = optional_part<PreTokenizer>(description, "pre_tokenizer");
  decoder = optional_part<TokenDecoder>(description, "decoder");
  for (const auto& [token, id] : model.vocabulary()) size = std::max<int64_t>(size, id + 1);
  for (AddedToken& token : folder.added) add_token(std::move(token), description);
  fill_finders();
  if (description.has("post_processor"))
    post_processor =
        PostProcessor(description.child("post_processor"), [this](int64_t id) { return token_of(id); });
}

// The library gives a token that is not in the vocabulary the next free number, whatever the file says; ids
// that disagree would be silently other ones than the model was trained with.
void Tokenizer::Parts::add_token(AddedToken token, const Component& description) {
  const auto known = model.id_of(token.content);
  const auto count = static_cast<TokenId>(model.vocabulary().size());
  const TokenId next =
      added.empty() ? count : std::max(count, static_cast<TokenId>(added.rbegin()->first + 1));
  const TokenId expected = known.value_or(next);
  if (token.id >= 0 && token.id != expected)
    description.fail("expected the id " + std::to_string(expected) + " for the added token " +
                     quoted_excerpt(token.content) + ", got " + std::to_string(token.id) +
                     ": added tokens are in the vocabulary or follow it without a gap");
  if (!known && model.token_of(expected) != nullptr)
    description.fail("expected a free id for the added token " + quoted_excerpt(token.content) + ", got " +
                     std::to_string(expected) + ", the id of " + quoted_excerpt(*model.token_of(expected)));
  token.id = expected;
  size = std::max<int64_t>(size, expected + 1);
  added_ids[token.content] = expected;
  added[expected] = std::move(token);
}

// Special tokens come first, as in the library: of two tokens that normalize to the same text the first one
// wins.
void Tokenizer::Parts::fill_finders() {
  for (const bool special : {true, false})
    for (const auto& [id, token] : added) {
      if (token.special != special) continue;
      if (!token.normalized) {
        raw.add(token.content, token);
        continue;
      }
      normalized.add(normalizer(token.content, true), token);
      completion.add(normalizer(token.content, false), token);
    }
}

void Tokenizer::Parts::encode(std::string_view text, bool dummy_prefix, std::vector<int64_t>& ids) const {
  const std::string valid = repair_utf8(text);
  for (const TextPiece& outer : raw.split(valid)) {
    if (outer.token >= 0) {
      ids.push_back(outer.token);
      continue;
    }
    const std::string normal = normalizer(outer.text, dummy_prefix);
    for (const TextPiece& piece : (dummy_prefix ? normalized : completion).split(normal)) {
      if (piece.token >= 0)
        ids.push_back(piece.token);
      else
        for (const std::string& word : pre_tokenizer(piece.text, dummy_prefix)) model.encode(word, ids);
    }
  }
}

std::optional<TokenId> Tokenizer::Parts::id_of(std::string_view token) const {
  const auto found = added_ids.find(token);
  return found != added_ids.end() ? found->second : model.id_of(token);
}

const AddedToken* Tokenizer::Parts::added_token(int64_t id) const {
  const auto found = added.find(id);
  return found == added.end() ? nullptr : &found->second;
}

const std::string* Tokenizer::Parts::token_of(int64_t id) const {
  const AddedToken* token = added_token(id);
  return token != nullptr ? &token->content : model.token_of(id);
}

std::optional<int64_t> Tokenizer::Parts::named_id(const std::optional<std::string>& token) const {
  if (!token) return std::nullopt;
  return id_of(*token);
}

Tokenizer Tokenizer::load(const std::filesystem::path& folder) {
  return Tokenizer(std::make_shared<const Parts>(read_tokenizer_folder(folder)));
}

std::vector<int64_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  std::vector<int64_t> ids;
  if (add_special_tokens) ids = parts_->post_processor.before();
  parts_->encode(text, true, ids);
  const std::vector<int64_t>& after = parts_->post_processor.after();
  if (add_special_tokens) ids.insert(ids.end(), after.begin(), after.end());
  return ids;
}

std::vector<int64_t> Tokenizer::encode_completion(std::string_view text) const {
  std::vector<int64_t> ids;
  parts_->encode(text, false, ids);
  return ids;
}

std::string Tokenizer::decode(std::span<const int64_t> ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const int64_t id : ids) {
    const std::string* token = parts_->token_of(id);
    if (token != nullptr && !(skip_special_tokens && is_special(id))) tokens.push_back(*token);
  }
  return parts_->decoder(std::move(tokens));
}

std::string Tokenizer::decode_completion(std::span<const int64_t> prompt,
                                         std::span<const int64_t> completion) const {
  std::vector<int64_t> both(prompt.begin(), prompt.end());
  both.insert(both.end(), completion.begin(), completion.end());
  const std::string before = decode(prompt), whole = decode(both);
  // The two differ before the prompt's end only where its last bytes were half a character.
  size_t common = static_cast<size_t>(
      std::mismatch(before.begin(), before.end(), whole.begin(), whole.end()).first - before.begin());
  while (common > 0 && common < whole.size() && (static_cast<uint8_t>(whole[common]) & 0xC0) == 0x80)
    --common;
  return whole.substr(common);
}

std::optional<int64_t> Tokenizer::id_of(std::string_view token) const {
  return parts_->id_of(token);
}

std::string Tokenizer::token_of(int64_t id) const {
  const std::string* token = parts_->token_of(id);
  if (token == nullptr)
    throw Error("tokenizer", "expected an id of a token (there are " + std::to_string(size()) + "), got " +
                                 std::to_string(id));
  return *token;
}

std::optional<int64_t> Tokenizer::bos_id() const {
  return parts_->named_id(parts_->named.bos);
}
std::optional<int64_t> Tokenizer::eos_id() const {
  return parts_->named_id(parts_->named.eos);
}
std::optional<int64_t> Tokenizer::pad_id() const {
  return parts_->named_id(parts_->named.pad);
}
std::optional<int64_t> Tokenizer::unk_id() const {
  return parts_->named_id(parts_->named.unk);
}

bool Tokenizer::is_special(int64_t id) const {
  const AddedToken* token = parts_->added_token(id);
  return token != nullptr && token->special;
}

int64_t Tokenizer::size() const {
  return parts_->size;
}

void Tokenizer::save(const std::filesystem::path& folder) const {
  for (const auto& [name, content] : parts_->files) write_file_atomically(folder / name, content);
}

}  // namespace keel
