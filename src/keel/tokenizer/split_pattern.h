// The patterns of tokenizer files: a literal text or a regular expression, cut along a text.
// The `tokenizers` library gives its expressions to Oniguruma (Ruby syntax, Unicode 16); Keel has PCRE2
// (Unicode 14 in Debian 12). An expression is therefore rewritten so that it means in PCRE2 what it means
// there, and one with a construct whose meaning differs is refused.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "keel/tokenizer/component.h"

namespace keel {

/// A stretch of a text, in bytes, that matches the pattern or lies between two matches.
struct SplitPart {
  size_t begin, end;
  bool match;
};

/// An Oniguruma expression in PCRE2's syntax. Public for its test.
/// Errors: [component] a construct that the two engines read differently.
std::string oniguruma_to_pcre2(std::string_view expression, const Component& owner);

class SplitPattern {
 public:
  /// The member "pattern" of `owner`: {"String": text} or {"Regex": expression}.
  /// Errors: [component] an invalid or unsupported expression, an empty text.
  explicit SplitPattern(const Component& owner);
  /// A PCRE2 expression of Keel's own.
  static SplitPattern regex(std::string_view expression);

  /// Stretches that cover `text`, valid UTF-8, from its begin to its end; those that do not match are never
  /// empty. Errors: [pattern] the expression needs too many steps on this text.
  std::vector<SplitPart> parts(std::string_view text) const;

  /// `text` with each match replaced by `content`, literally.
  std::string replace(std::string_view text, std::string_view content) const;

 private:
  struct Code;
  SplitPattern() = default;
  std::vector<SplitPart> literal_matches(std::string_view text) const;
  std::vector<SplitPart> regex_matches(std::string_view text) const;

  std::string literal_;  // empty when there is code
  std::shared_ptr<const Code> code_;
};

}  // namespace keel
