// The "decoder" of tokenizer.json: tokens back to text.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "keel/tokenizer/component.h"

namespace keel {

/// Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip.
/// Bytes that are no UTF-8: ByteLevel writes one U+FFFD for each maximal broken part, ByteFallback one for
/// each byte of a run of byte tokens that is not valid as a whole.
class TokenDecoder {
 public:
  /// No decoder: the tokens are joined by spaces, as the `tokenizers` library does.
  TokenDecoder() = default;
  explicit TokenDecoder(const Component& decoder);

  std::string operator()(std::vector<std::string> tokens) const;

 private:
  using Step = std::function<std::vector<std::string>(std::vector<std::string> tokens)>;
  static const StepMakers<Step>& makers();

  std::optional<std::vector<Step>> steps_;
};

}  // namespace keel
