// The tokenizer files of a Hugging Face model folder, brought to one form: the JSON of a tokenizer.json.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "keel/tokenizer/added_tokens.h"
#include "keel/tokenizer/component.h"

namespace keel {

/// The tokens that a folder gives a role. Absent where it names none.
struct NamedTokens {
  std::optional<std::string> bos, eos, pad, unk;
  std::vector<std::string> others;
};

struct TokenizerFolder {
  std::map<std::string, std::string> files;  // name → bytes of those that are there
  std::string main_file;                     // the path that messages about `description` name
  TokenizerJson description;                 // tokenizer.json, or what transformers makes of the vocabulary
  NamedTokens named;
  std::vector<AddedToken> added;  // of all files, each content once, in the order in which they get their
                                  // ids; an id of -1 stands for the next one
};

/// Errors: [folder] no tokenizer in it; [file] damaged or ill-typed content.
TokenizerFolder read_tokenizer_folder(const std::filesystem::path& folder);

}  // namespace keel
