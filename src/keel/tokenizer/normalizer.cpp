#include "keel/tokenizer/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "keel/base/error.h"
#include "keel/tokenizer/split_pattern.h"

namespace keel {
namespace {

std::string unicode_form(std::string text, int options) {
  const bool ascii =
      std::all_of(text.begin(), text.end(), [](char byte) { return static_cast<int8_t>(byte) >= 0; });
  if (ascii) return text;
  utf8proc_uint8_t* mapped = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (length < 0)
    throw Error("normalizer", std::string("expected normal text, got: ") + utf8proc_errmsg(length));
  return {reinterpret_cast<const char*>(mapped), static_cast<size_t>(length)};
}

}  // namespace

const StepMakers<TextNormalizer::Step>& TextNormalizer::makers() {
  const auto form = [](int options) {
    return [options](const Component&) {
      return Step{[options](std::string text) { return unicode_form(std::move(text), options); }};
    };
  };
  static const StepMakers<Step> makers = {
      {"NFC", form(UTF8PROC_COMPOSE)},
      {"NFD", form(UTF8PROC_DECOMPOSE)},
      {"NFKC", form(UTF8PROC_COMPOSE | UTF8PROC_COMPAT)},
      {"NFKD", form(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT)},
      {"Prepend",
       [](const Component& component) {
         return Step{[prefix = component.text("prepend")](const std::string& text) { return prefix + text; },
                     true};
       }},
      {"Replace",
       [](const Component& component) {
         return Step{[pattern = SplitPattern(component), content = component.text("content")](
                         const std::string& text) { return pattern.replace(text, content); }};
       }},
  };
  return makers;
}

TextNormalizer::TextNormalizer(const Component& normalizer) {
  append_steps(normalizer, "normalizers", makers(), steps_);
}

std::string TextNormalizer::operator()(std::string_view text, bool dummy_prefix) const {
  std::string normal(text);
  for (const Step& step : steps_) {
    if (normal.empty()) break;
    if (dummy_prefix || !step.is_dummy_prefix) normal = step.apply(std::move(normal));
  }
  return normal;
}

}  // namespace keel
