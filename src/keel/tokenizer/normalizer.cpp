#include "keel/tokenizer/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <utility>

#include "keel/base/error.h"
#include "keel/tokenizer/split_pattern.h"
#include "keel/tokenizer/unicode.h"

namespace keel {
namespace {

// Marks and compatibility characters that are younger than the tables of the `tokenizers` library, about
// Unicode 9. To its normal forms they are plain characters: nothing moves across them, joins them or comes
// out of them. Found by asking both about every code point; U+11930 is here because it makes the younger
// U+11938 with U+11935.
constexpr std::pair<char32_t, char32_t> kPlainCharacters[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},
    {0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xA82C, 0xA82C},   {0xAB69, 0xAB69},   {0x10781, 0x107BA},
    {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
    {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930},
    {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97},
    {0x11F41, 0x11F42}, {0x16FF0, 0x16FF1}, {0x1E030, 0x1E06D}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};

bool is_plain(char32_t character) {
  const auto range =
      std::lower_bound(std::begin(kPlainCharacters), std::end(kPlainCharacters), character,
                       [](const auto& known, char32_t sought) { return known.second < sought; });
  return range != std::end(kPlainCharacters) && range->first <= character;
}

void append_form(std::string_view text, int options, std::string& result) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (length < 0)
    throw Error("normalizer", std::string("expected normal text, got: ") + utf8proc_errmsg(length));
  result.append(reinterpret_cast<const char*>(mapped), static_cast<size_t>(length));
}

std::string unicode_form(std::string text, int options) {
  const bool ascii =
      std::all_of(text.begin(), text.end(), [](char byte) { return static_cast<int8_t>(byte) >= 0; });
  if (ascii) return text;
  std::string result;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (!is_plain(next_character(text, at))) continue;
    append_form(std::string_view(text).substr(done, begin - done), options, result);
    result.append(text, begin, at - begin);
    done = at;
  }
  append_form(std::string_view(text).substr(done), options, result);
  return result;
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
    if (normal.size() > 4096 + 64 * text.size())  // Replace steps can double a text again and again
      throw Error("normalizer", "expected a text of about the same size, got one 64 times as long");
  }
  return normal;
}

}  // namespace keel
