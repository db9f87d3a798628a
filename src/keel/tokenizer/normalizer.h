// The "normalizer" of tokenizer.json: what happens to a text before it is cut into words.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "keel/tokenizer/component.h"

namespace keel {

/// Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD. The Unicode forms are utf8proc's, held back where it is
/// newer than the library's tables.
class TextNormalizer {
 public:
  TextNormalizer() = default;
  explicit TextNormalizer(const Component& normalizer);

  /// `text` is valid UTF-8. Without `dummy_prefix` the Prepend steps are left out: a text that continues
  /// another one does not begin a sentence. An empty text stays empty.
  std::string operator()(std::string_view text, bool dummy_prefix) const;

 private:
  struct Step {
    std::function<std::string(std::string)> apply;
    bool is_dummy_prefix = false;
  };
  static const StepMakers<Step>& makers();

  std::vector<Step> steps_;
};

}  // namespace keel
