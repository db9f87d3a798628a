#include "keel/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <optional>

#include "keel/tokenizer/split_pattern.h"
#include "keel/tokenizer/unicode.h"

namespace keel {
namespace {

// GPT-2's pattern (Radford et al. 2019, encoder.py), which ByteLevel uses when `use_regex` is set.
constexpr const char* kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// What becomes of the matches of a split: each a piece, dropped, or joined to a neighbour.
enum class Delimiters { isolated, removed, merged_with_previous, merged_with_next, contiguous };

Delimiters delimiters(const Component& component) {
  static const std::map<std::string, Delimiters> names = {
      {"Isolated", Delimiters::isolated},
      {"Removed", Delimiters::removed},
      {"MergedWithPrevious", Delimiters::merged_with_previous},
      {"MergedWithNext", Delimiters::merged_with_next},
      {"Contiguous", Delimiters::contiguous}};
  const std::string name = component.text("behavior");
  const auto found = names.find(name);
  if (found != names.end()) return found->second;
  std::string supported;
  for (const auto& [known, ignored] : names) supported += (supported.empty() ? "" : ", ") + known;
  component.fail("expected a behavior among " + supported + ", got " + quoted_excerpt(name));
}

// Joins a match to its neighbour: the part before it, or, going backwards, the one behind it. Of a run of
// matches only the first joins.
std::vector<SplitPart> join_matches(std::vector<SplitPart> parts, bool backwards) {
  if (backwards) std::reverse(parts.begin(), parts.end());
  std::vector<SplitPart> joined;
  bool after_match = false;
  for (const SplitPart& part : parts) {
    if (part.match && !after_match && !joined.empty())
      (backwards ? joined.back().begin : joined.back().end) = backwards ? part.begin : part.end;
    else
      joined.push_back(part);
    after_match = part.match;
  }
  if (backwards) std::reverse(joined.begin(), joined.end());
  return joined;
}

std::vector<SplitPart> join_equal(const std::vector<SplitPart>& parts) {
  std::vector<SplitPart> joined;
  for (const SplitPart& part : parts) {
    if (!joined.empty() && joined.back().match == part.match)
      joined.back().end = part.end;
    else
      joined.push_back(part);
  }
  return joined;
}

std::vector<SplitPart> apply(Delimiters delimiters, std::vector<SplitPart> parts) {
  switch (delimiters) {
    case Delimiters::isolated:
      break;
    case Delimiters::removed:
      std::erase_if(parts, [](const SplitPart& part) { return part.match; });
      break;
    case Delimiters::merged_with_previous:
      return join_matches(std::move(parts), false);
    case Delimiters::merged_with_next:
      return join_matches(std::move(parts), true);
    case Delimiters::contiguous:
      return join_equal(parts);
  }
  return parts;
}

void append_pieces(const std::string& text, const std::vector<SplitPart>& parts,
                   std::vector<std::string>& pieces) {
  for (const SplitPart& part : parts)
    if (part.begin < part.end) pieces.emplace_back(text, part.begin, part.end - part.begin);
}

std::string byte_level(std::string_view bytes) {
  std::string characters;
  characters.reserve(bytes.size() + bytes.size() / 4);
  for (const char byte : bytes) characters += byte_character(static_cast<uint8_t>(byte));
  return characters;
}

}  // namespace

const StepMakers<PreTokenizer::Step>& PreTokenizer::makers() {
  using Pieces = std::vector<std::string>;
  static const StepMakers<Step> makers = {
      {"Split",
       [](const Component& component) -> Step {
         return [pattern = SplitPattern(component), behavior = delimiters(component),
                 invert = component.flag("invert", false)](const std::string& piece, bool, Pieces& pieces) {
           std::vector<SplitPart> parts = pattern.parts(piece);
           if (invert)
             for (SplitPart& part : parts) part.match = !part.match;
           append_pieces(piece, apply(behavior, std::move(parts)), pieces);
         };
       }},
      {"Digits",
       [](const Component& component) -> Step {
         const TokenizerJson digits = {{"pattern", {{"Regex", "\\p{N}"}}}};
         const auto behavior =
             component.flag("individual_digits", false) ? Delimiters::isolated : Delimiters::contiguous;
         return [pattern = SplitPattern(Component(digits, "Digits")), behavior](const std::string& piece,
                                                                                bool, Pieces& pieces) {
           append_pieces(piece, apply(behavior, pattern.parts(piece)), pieces);
         };
       }},
      {"ByteLevel",
       [](const Component& component) -> Step {
         std::optional<SplitPattern> pattern;
         const TokenizerJson gpt2 = {{"pattern", {{"Regex", kGpt2Pattern}}}};
         if (component.flag("use_regex", true)) pattern.emplace(Component(gpt2, "ByteLevel"));
         return [pattern, prefix = component.flag("add_prefix_space")](const std::string& piece,
                                                                       bool dummy_prefix, Pieces& pieces) {
           const std::string text = prefix && dummy_prefix && !piece.starts_with(' ') ? " " + piece : piece;
           if (!pattern) return pieces.push_back(byte_level(text));
           for (const SplitPart& part : pattern->parts(text))
             pieces.push_back(byte_level(std::string_view(text).substr(part.begin, part.end - part.begin)));
         };
       }},
  };
  return makers;
}

PreTokenizer::PreTokenizer(const Component& pre_tokenizer) {
  append_steps(pre_tokenizer, "pretokenizers", makers(), steps_);
}

std::vector<std::string> PreTokenizer::operator()(std::string_view text, bool dummy_prefix) const {
  std::vector<std::string> pieces, next;
  if (!text.empty()) pieces.emplace_back(text);
  for (const Step& step : steps_) {
    next.clear();
    for (const std::string& piece : pieces) step(piece, dummy_prefix, next);
    pieces.swap(next);
  }
  return pieces;
}

}  // namespace keel
