// The "post_processor" of tokenizer.json: the special tokens around a text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "keel/tokenizer/component.h"

namespace keel {

/// Sequence, TemplateProcessing (its template for a single text), ByteLevel (which only moves offsets).
class PostProcessor {
 public:
  PostProcessor() = default;
  /// `token_of` gives null for an id without a token. Errors: [component] a template without exactly one
  /// sequence A, special tokens that it does not define, ids without a token.
  PostProcessor(const Component& post_processor, const std::function<const std::string*(int64_t)>& token_of);

  const std::vector<int64_t>& before() const { return before_; }
  const std::vector<int64_t>& after() const { return after_; }

 private:
  std::vector<int64_t> before_, after_;
};

}  // namespace keel
