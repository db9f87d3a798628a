// The "pre_tokenizer" of tokenizer.json: cuts a normalized text into the words that BPE works on.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "keel/tokenizer/component.h"

namespace keel {

/// Sequence, ByteLevel, Digits, Split.
class PreTokenizer {
 public:
  PreTokenizer() = default;
  explicit PreTokenizer(const Component& pre_tokenizer);

  /// The words of `text`, valid UTF-8, in order, none empty. Without `dummy_prefix` no space is put in front.
  std::vector<std::string> operator()(std::string_view text, bool dummy_prefix) const;

 private:
  /// Cuts one piece and appends the results.
  using Step =
      std::function<void(const std::string& piece, bool dummy_prefix, std::vector<std::string>& pieces)>;
  static const StepMakers<Step>& makers();

  std::vector<Step> steps_;
};

}  // namespace keel
