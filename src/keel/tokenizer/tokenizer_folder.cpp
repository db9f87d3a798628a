#include "keel/tokenizer/tokenizer_folder.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/json.h"

namespace keel {
namespace {

namespace fs = std::filesystem;

// Qwen2's pattern, which transformers builds for a folder without tokenizer.json.
constexpr const char* kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr const char* kFileNames[] = {"tokenizer.json",          "vocab.json",        "merges.txt",
                                      "tokenizer_config.json",   "added_tokens.json", "chat_template.jinja",
                                      "special_tokens_map.json", "chat_template.json"};

TokenizerJson parse(const std::string& text, const std::string& where) {
  check_nesting(text, where);
  try {
    return TokenizerJson::parse(text);
  } catch (const TokenizerJson::parse_error& error) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, text.size()));
    throw Error(where + ":" + std::to_string(std::count(text.begin(), end, '\n') + 1),
                "expected JSON, got a mistake at byte " + std::to_string(error.byte));
  }
}

class FolderReader {
 public:
  explicit FolderReader(const fs::path& folder) : folder_(folder) {
    for (const char* name : kFileNames)
      if (fs::is_regular_file(folder / name)) result_.files[name] = read_file(folder / name);
    config_ = json_of("tokenizer_config.json");
    special_map_ = json_of("special_tokens_map.json");
    class_ = tokenizer_class();
  }

  TokenizerFolder read() {
    if (has("tokenizer.json")) {
      result_.main_file = path_of("tokenizer.json");
      result_.description = parse(result_.files["tokenizer.json"], result_.main_file);
    } else if (has("vocab.json") && has("merges.txt")) {
      result_.main_file = path_of("vocab.json");
      result_.description = description_of_vocabulary();
    } else {
      throw Error(folder_.string(),
                  "expected a tokenizer (tokenizer.json, or vocab.json and merges.txt), got none");
    }
    read_named_tokens();
    read_added_tokens();
    return std::move(result_);
  }

 private:
  bool has(const std::string& name) const { return result_.files.contains(name); }
  std::string path_of(const std::string& name) const { return (folder_ / name).string(); }

  // An absent file is an empty object.
  TokenizerJson json_of(const std::string& name) const {
    TokenizerJson json = has(name) ? parse(result_.files.at(name), path_of(name)) : TokenizerJson::object();
    Component(json, path_of(name));  // refuses what is no object
    return json;
  }

  // What transformers names the tokenizer; without a word on it, what the model's config suggests.
  std::string tokenizer_class() const {
    const Component config(config_, path_of("tokenizer_config.json"));
    std::string name = config.text("tokenizer_class", "");
    if (name.ends_with("Fast")) name.resize(name.size() - 4);
    const fs::path model_config = folder_ / "config.json";
    if (!name.empty() || !fs::is_regular_file(model_config)) return name;
    const TokenizerJson model = parse(read_file(model_config), model_config.string());
    const std::string type = Component(model, model_config.string()).text("model_type", "");
    return type == "gpt2" ? "GPT2Tokenizer" : type == "qwen2" ? "Qwen2Tokenizer" : "";
  }

  bool in_vocabulary(const char* token) const {
    const auto path = TokenizerJson::json_pointer("/model/vocab");
    return result_.description.contains(path) && result_.description.at(path).contains(token);
  }

  TokenizerJson description_of_vocabulary() const;
  TokenizerJson merges_of_text() const;
  void read_named_tokens();
  void read_added_tokens();
  void add(const Component& token, std::optional<int64_t> id);
  void add_tokens_of_config();
  void add_tokens_of_legacy_file(const std::vector<std::string>& special);

  fs::path folder_;
  TokenizerFolder result_;
  TokenizerJson config_, special_map_;
  std::string class_;
  std::set<std::string> added_;
};

// GPT2Converter and Qwen2Converter of transformers 4.57, convert_slow_tokenizer.py.
TokenizerJson FolderReader::description_of_vocabulary() const {
  if (class_ != "GPT2Tokenizer" && class_ != "Qwen2Tokenizer")
    throw Error(
        path_of("tokenizer_config.json"),
        "expected GPT2Tokenizer or Qwen2Tokenizer as \"tokenizer_class\" of a folder without tokenizer.json, "
        "got " +
            quoted_excerpt(class_) + ": save the tokenizer with transformers to get a tokenizer.json");
  const Component config(config_, path_of("tokenizer_config.json"));
  const bool gpt2 = class_ == "GPT2Tokenizer", prefix = config.flag("add_prefix_space", false);
  if (gpt2 && config.flag("add_bos_token", false))
    config.fail(
        "expected no \"add_bos_token\" in a folder without tokenizer.json, got true: save the tokenizer with "
        "transformers to get a tokenizer.json");
  TokenizerJson description = {{"model", {{"type", "BPE"}}}, {"decoder", {{"type", "ByteLevel"}}}};
  description["model"]["vocab"] = json_of("vocab.json");
  description["model"]["merges"] = merges_of_text();
  TokenizerJson bytes = {{"type", "ByteLevel"}, {"add_prefix_space", prefix}, {"use_regex", gpt2}};
  if (gpt2) {
    description["pre_tokenizer"] = bytes;
    return description;
  }
  const TokenizerJson split = {{"type", "Split"},
                               {"pattern", {{"Regex", kQwen2Pattern}}},
                               {"behavior", "Isolated"},
                               {"invert", false}};
  description["normalizer"] = {{"type", "NFC"}};
  description["pre_tokenizer"] = {{"type", "Sequence"},
                                  {"pretokenizers", TokenizerJson::array({split, bytes})}};
  return description;
}

TokenizerJson FolderReader::merges_of_text() const {
  TokenizerJson merges = TokenizerJson::array();
  for_each_line(folder_ / "merges.txt", [&](std::string_view line, int64_t number) {
    if (line.empty() || (number == 1 && line.starts_with("#version"))) return;
    const size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
      throw Error(path_of("merges.txt") + ":" + std::to_string(number),
                  "expected two tokens with a space between, got " + quoted_excerpt(std::string(line)));
    merges.push_back({std::string(line.substr(0, space)), std::string(line.substr(space + 1))});
  });
  return merges;
}

// A token is written as its text or as an object with its "content".
std::optional<std::string> token_text(const Component& owner, const char* name) {
  if (!owner.has(name)) return std::nullopt;
  if (owner.member(name).is_string()) return owner.text(name);
  return owner.child(name).text("content");
}

void FolderReader::read_named_tokens() {
  const Component config(config_, path_of("tokenizer_config.json"));
  const Component map(special_map_, path_of("special_tokens_map.json"));
  // What the class itself means where both files are silent; a null is not silence.
  const bool byte_level = class_ == "GPT2Tokenizer" || class_ == "Qwen2Tokenizer";
  const auto name = [&](const char* role, bool by_class) -> std::optional<std::string> {
    if (config_.contains(role)) return token_text(config, role);
    if (special_map_.contains(role)) return token_text(map, role);
    if (by_class && in_vocabulary("<|endoftext|>")) return "<|endoftext|>";
    return std::nullopt;
  };
  NamedTokens& named = result_.named;
  named.bos = name("bos_token", class_ == "GPT2Tokenizer");
  named.eos = name("eos_token", byte_level);
  named.pad = name("pad_token", class_ == "Qwen2Tokenizer");
  named.unk = name("unk_token", class_ == "GPT2Tokenizer");
  const Component& owner = config.has("additional_special_tokens") ? config : map;
  if (!owner.has("additional_special_tokens")) return;
  const TokenizerJson& others = owner.member("additional_special_tokens");
  if (!others.is_array())
    owner.fail("expected a list for \"additional_special_tokens\", got " + quoted_excerpt(others));
  for (const TokenizerJson& other : others) {
    const TokenizerJson wrapped = {{"token", other}};
    if (const auto text = token_text(Component(wrapped, path_of("tokenizer_config.json")), "token"))
      named.others.push_back(*text);
  }
}

void FolderReader::add(const Component& component, std::optional<int64_t> id) {
  AddedToken token;
  token.content = component.text("content");
  if (token.content.empty() || !added_.insert(token.content).second) return;
  if (id && (*id < 0 || *id > INT32_MAX - 1))
    component.fail("expected an id from 0 to 2147483646, got " + std::to_string(*id));
  token.id = id ? static_cast<TokenId>(*id) : -1;
  token.single_word = component.flag("single_word", false);
  token.lstrip = component.flag("lstrip", false);
  token.rstrip = component.flag("rstrip", false);
  token.special = component.flag("special", false);
  token.normalized = component.flag("normalized", !token.special);
  result_.added.push_back(token);
}

// tokenizer.json's own, then what the other files add to them. The first word on a token counts.
void FolderReader::read_added_tokens() {
  const Component description(result_.description, result_.main_file);
  if (description.has("added_tokens"))
    for (const Component& token : description.children("added_tokens")) add(token, token.integer("id"));
  add_tokens_of_config();
  const NamedTokens& named = result_.named;
  std::vector<std::string> special = named.others;
  for (const auto& token : {named.bos, named.eos, named.pad, named.unk})
    if (token) special.push_back(*token);
  add_tokens_of_legacy_file(special);
  for (const std::string& content : special) {
    const TokenizerJson token = {{"content", content}, {"special", true}};
    add(Component(token, path_of("tokenizer_config.json")), std::nullopt);
  }
}

// "added_tokens_decoder": {"5": {"content": …}}, in the order of the ids.
void FolderReader::add_tokens_of_config() {
  const Component config(config_, path_of("tokenizer_config.json"));
  if (!config.has("added_tokens_decoder")) return;
  const Component decoder = config.child("added_tokens_decoder");
  std::map<int64_t, std::string> keys;
  for (const auto& [key, ignored] : decoder.value().items()) {
    int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0)
      decoder.fail("expected ids as keys, got " + quoted_excerpt(key));
    keys[id] = key;
  }
  for (const auto& [id, key] : keys) add(decoder.child(key.c_str()), id);
}

// added_tokens.json of older folders: {"content": id}. What has a role is special.
void FolderReader::add_tokens_of_legacy_file(const std::vector<std::string>& special) {
  const std::string path = path_of("added_tokens.json");
  const TokenizerJson contents = json_of("added_tokens.json");
  std::map<int64_t, std::string> by_id;
  for (const auto& [content, id] : contents.items())
    by_id[Component(contents, path).integer(content.c_str())] = content;
  for (const auto& [id, content] : by_id) {
    const bool is_special = std::find(special.begin(), special.end(), content) != special.end();
    const TokenizerJson token = {{"content", content}, {"special", is_special}};
    add(Component(token, path), id);
  }
}

}  // namespace

TokenizerFolder read_tokenizer_folder(const fs::path& folder) {
  return FolderReader(folder).read();
}

}  // namespace keel
