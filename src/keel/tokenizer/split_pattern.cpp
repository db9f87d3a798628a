#define PCRE2_CODE_UNIT_WIDTH 8
#include "keel/tokenizer/split_pattern.h"

#include <pcre2.h>

#include <algorithm>
#include <cctype>

#include "keel/base/error.h"
#include "keel/tokenizer/unicode.h"

namespace keel {
namespace {

// White_Space as the inside of a PCRE2 class; PCRE2's own \s holds U+180E too.
constexpr const char* kWhiteSpace =
    "\\x{09}-\\x{0d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{"
    "3000}";

// Letters and numbers of Unicode 15 and 16. Found by asking both libraries about every code point; a later
// PCRE2, which knows them itself, is not disturbed.
constexpr const char* kNewerLetters =
    "\\x{1c89}\\x{1c8a}\\x{a7cb}-\\x{a7cd}\\x{a7da}-\\x{a7dc}\\x{105c0}-\\x{105f3}\\x{10d4a}-\\x{10d65}"
    "\\x{10d6f}-\\x{10d85}\\x{10ec2}-\\x{10ec4}\\x{1123f}\\x{11240}\\x{11380}-\\x{11389}\\x{1138b}\\x{1138e}"
    "\\x{11390}-\\x{113b5}\\x{113b7}\\x{113d1}\\x{113d3}\\x{11bc0}-\\x{11be0}\\x{11f02}\\x{11f04}-\\x{11f10}"
    "\\x{11f12}-\\x{11f33}\\x{1342f}\\x{13441}-\\x{13446}\\x{13460}-\\x{143fa}\\x{16100}-\\x{1611d}"
    "\\x{16d40}-\\x{16d6c}\\x{18cff}\\x{1b132}\\x{1b155}\\x{1df25}-\\x{1df2a}\\x{1e030}-\\x{1e06d}"
    "\\x{1e4d0}-\\x{1e4eb}\\x{1e5d0}-\\x{1e5ed}\\x{1e5f0}\\x{2b739}\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{"
    "323af}";
constexpr const char* kNewerNumbers =
    "\\x{10d40}-\\x{10d49}\\x{116d0}-\\x{116e3}\\x{11bf0}-\\x{11bf9}\\x{11f50}-\\x{11f59}\\x{16130}-\\x{"
    "16139}"
    "\\x{16d70}-\\x{16d79}\\x{1ccf0}-\\x{1ccf9}\\x{1d2c0}-\\x{1d2d3}\\x{1e4f0}-\\x{1e4f9}\\x{1e5f1}-\\x{"
    "1e5fa}";

class Translator {
 public:
  Translator(std::string_view expression, const Component& owner) : rest_(expression), owner_(owner) {}

  std::string translate() {
    while (!rest_.empty()) {
      if (rest_.front() == '\\')
        escape();
      else if (in_class_)
        class_character();
      else
        character();
    }
    return result_;
  }

 private:
  [[noreturn]] void refuse(std::string_view construct) {
    owner_.fail("expected a pattern of plain constructs, got \"" + json_safe(construct) +
                "\": Keel cannot use this tokenizer");
  }

  static std::string json_safe(std::string_view text) {
    const std::string quoted = TokenizerJson(std::string(text.substr(0, 20)))
                                   .dump(-1, ' ', true, TokenizerJson::error_handler_t::replace);
    return quoted.substr(1, quoted.size() - 2);
  }

  void take(size_t count) {
    result_ += rest_.substr(0, count);
    rest_.remove_prefix(count);
  }

  // A set of characters that is written as the inside of a class.
  void put_set(std::string_view set) {
    if (in_class_)
      result_ += set;
    else
      (result_ += '[').append(set) += ']';
  }

  void character() {
    static constexpr std::string_view groups[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"};
    if (rest_.starts_with("(?")) {
      for (const std::string_view group : groups)
        if (rest_.starts_with(group)) return take(group.size());
      refuse(rest_.substr(0, 4));
    }
    if (rest_.starts_with("(*")) refuse("(*");
    if (rest_.front() == '{') return repetition();
    if (rest_.front() == '[') {
      in_class_ = true;
      take(rest_.starts_with("[^") ? 2 : 1);
      if (rest_.starts_with("]")) refuse("[]");
      return;
    }
    take(1);
  }

  // {,n} counts from 0 in Oniguruma only; {n,m}+ repeats there and is possessive in PCRE2.
  void repetition() {
    const size_t end = rest_.find_first_not_of("0123456789,", 1);
    if (end == std::string_view::npos || rest_[end] != '}') refuse("{");
    if (rest_.substr(end + 1).starts_with("+")) refuse("}+");
    if (rest_.starts_with("{,")) {
      result_ += "{0,";
      rest_.remove_prefix(2);
      return take(end - 1);
    }
    take(end + 1);
  }

  void class_character() {
    if (rest_.front() == '[') refuse("[ within a class");
    if (rest_.starts_with("&&")) refuse("&&");
    if (rest_.front() == ']') in_class_ = false;
    take(1);
  }

  void escape() {
    const char letter = rest_.size() > 1 ? rest_[1] : '\0';
    switch (letter) {
      case 's':
        put_set(kWhiteSpace);
        break;
      case 'S':
        put_set("\\S\\x{180e}");
        break;
      case 'd':
        put_property("Nd", false);
        break;
      case 'D':
        put_property("Nd", true);
        break;
      case 'p':
      case 'P':
        return property(letter == 'P');
      case 'v':
        result_ += "\\x{0b}";
        break;
      case 'n':
      case 'r':
      case 't':
      case 'f':
      case 'a':
      case 'e':
        return take(2);
      case 'x':
      case 'u':
        return code_point();
      default:
        const auto byte = static_cast<uint8_t>(letter);
        if (byte <= ' ' || byte >= 0x7F || std::isalnum(byte) != 0) refuse(rest_.substr(0, 2));
        return take(2);
    }
    rest_.remove_prefix(2);
  }

  // \x{HHHH}, \xHH, \uHHHH
  void code_point() {
    const bool braces = rest_.substr(2).starts_with("{");
    const size_t begin = braces ? 3 : 2;
    size_t end = rest_.find_first_not_of("0123456789abcdefABCDEF", begin);
    if (end == std::string_view::npos) end = rest_.size();
    const size_t digits = braces ? end - begin : std::min<size_t>(end - begin, rest_[1] == 'u' ? 4 : 2);
    const bool closed = !braces || (rest_[1] == 'x' && rest_.substr(end).starts_with("}"));
    if (digits == 0 || digits > 6 || !closed) refuse(rest_.substr(0, 4));
    (result_ += "\\x{").append(rest_.substr(begin, digits)) += "}";
    rest_.remove_prefix(begin + digits + (braces ? 1 : 0));
  }

  // \p{L} and its like: the general categories, which both engines name alike.
  void property(bool negated) {
    const size_t end = rest_.find('}');
    if (rest_.substr(2, 1) != "{" || end == std::string_view::npos || end < 4 || end > 5)
      refuse(rest_.substr(0, 8));
    const std::string_view name = rest_.substr(3, end - 3);
    static constexpr std::string_view minors[] = {"Cc Cf Co Cn Cs", "Ll Lm Lo Lt Lu",       "Mc Me Mn",
                                                  "Nd Nl No",       "Pc Pd Pe Pf Pi Po Ps", "Sc Sk Sm So",
                                                  "Zl Zp Zs"};
    bool known = false;
    for (const std::string_view minor : minors)
      known |= minor.find(name) != std::string_view::npos && name.find(' ') == std::string_view::npos &&
               name.front() == minor.front();
    if (!known) refuse(rest_.substr(0, end + 1));
    put_property(name, negated);
    rest_.remove_prefix(end + 1);
  }

  void put_property(std::string_view name, bool negated) {
    const std::string newer = name == "L" ? kNewerLetters : name == "N" ? kNewerNumbers : "";
    const std::string set = "\\p{" + std::string(name) + "}" + newer;
    if (!negated) return put_set(set);
    if (in_class_ && !newer.empty()) refuse("\\P within a class");
    result_ += in_class_ ? "\\P{" + std::string(name) + "}" : "[^" + set + "]";
  }

  std::string_view rest_;
  const Component& owner_;
  std::string result_;
  bool in_class_ = false;
};

std::string pcre2_message(int code) {
  std::string message(256, '\0');
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(message.data()), message.size());
  return message.c_str();
}

}  // namespace

// A compiled expression with its limits. Matching only reads it, so threads share it.
struct SplitPattern::Code {
  pcre2_code* expression = nullptr;
  pcre2_match_context* limits = nullptr;

  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() {
    pcre2_match_context_free(limits);
    pcre2_code_free(expression);
  }

  // "" or what is wrong with the expression.
  std::string compile(std::string_view text) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    expression = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), options, &error,
                               &offset, nullptr);
    if (expression == nullptr) return pcre2_message(error);
    pcre2_jit_compile(expression, PCRE2_JIT_COMPLETE);  // where there is none, pcre2_match interprets
    limits = pcre2_match_context_create(nullptr);
    pcre2_set_match_limit(limits, 100'000'000);
    pcre2_set_heap_limit(limits, 64 * 1024);  // KiB
    return {};
  }

  // Like pcre2_match. A JIT stack that is too small for a text is not the end: the interpreter has the heap.
  int match(std::string_view text, size_t at, pcre2_match_data* data) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    const int found = pcre2_match(expression, subject, text.size(), at, PCRE2_NO_UTF_CHECK, data, limits);
    if (found != PCRE2_ERROR_JIT_STACKLIMIT) return found;
    return pcre2_match(expression, subject, text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, limits);
  }
};

std::string oniguruma_to_pcre2(std::string_view expression, const Component& owner) {
  return Translator(expression, owner).translate();
}

SplitPattern::SplitPattern(const Component& owner) {
  const Component pattern = owner.child("pattern");
  if (pattern.has("String")) {
    literal_ = pattern.text("String");
    if (literal_.empty()) pattern.fail("expected a text to search for, got an empty one");
    return;
  }
  const std::string expression = pattern.text("Regex");
  const auto code = std::make_shared<Code>();
  const std::string mistake = code->compile(oniguruma_to_pcre2(expression, pattern));
  if (!mistake.empty()) pattern.fail("expected a regular expression, got one with a mistake: " + mistake);
  code_ = code;
}

SplitPattern SplitPattern::regex(std::string_view expression) {
  SplitPattern pattern;
  const auto code = std::make_shared<Code>();
  const std::string mistake = code->compile(expression);
  if (!mistake.empty()) throw Error("pattern", "expected a regular expression, got " + mistake);
  pattern.code_ = code;
  return pattern;
}

std::vector<SplitPart> SplitPattern::parts(std::string_view text) const {
  std::vector<SplitPart> parts;
  size_t covered = 0;
  for (const SplitPart& match : code_ ? regex_matches(text) : literal_matches(text)) {
    if (covered < match.begin) parts.push_back({covered, match.begin, false});
    parts.push_back(match);
    covered = match.end;
  }
  if (covered < text.size()) parts.push_back({covered, text.size(), false});
  return parts;
}

std::string SplitPattern::replace(std::string_view text, std::string_view content) const {
  std::string replaced;
  for (const SplitPart& part : parts(text))
    replaced += part.match ? content : text.substr(part.begin, part.end - part.begin);
  return replaced;
}

std::vector<SplitPart> SplitPattern::literal_matches(std::string_view text) const {
  std::vector<SplitPart> matches;
  for (size_t at = text.find(literal_); at != std::string_view::npos;
       at = text.find(literal_, at + literal_.size()))
    matches.push_back({at, at + literal_.size(), true});
  return matches;
}

// Successive matches; an empty one directly behind the one before does not count.
std::vector<SplitPart> SplitPattern::regex_matches(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create(1, nullptr), &pcre2_match_data_free);
  std::vector<SplitPart> matches;
  for (size_t at = 0; at <= text.size();) {
    const int found = code_->match(text, at, data.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0)
      throw Error("pattern", "expected a pattern that fits this text, got: " + pcre2_message(found));
    const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(data.get());
    const SplitPart match{offsets[0], offsets[1], true};
    if (match.begin == match.end && !matches.empty() && matches.back().end == match.end) {
      at += at < text.size() ? scan_character(text, at).length : 1;
      continue;
    }
    matches.push_back(match);
    at = match.end;
  }
  return matches;
}

}  // namespace keel
