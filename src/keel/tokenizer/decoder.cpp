#include "keel/tokenizer/decoder.h"

#include <charconv>

#include "keel/tokenizer/split_pattern.h"
#include "keel/tokenizer/unicode.h"

namespace keel {
namespace {

using Tokens = std::vector<std::string>;

// A token with a character outside the byte alphabet stands for its own UTF-8.
void append_bytes(const std::string& token, std::string& bytes) {
  std::string decoded;
  for (size_t at = 0; at < token.size();) {
    const auto byte = byte_of_character(next_character(token, at));
    if (!byte) {
      bytes += token;
      return;
    }
    decoded += static_cast<char>(*byte);
  }
  bytes += decoded;
}

Tokens byte_level(const Tokens& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) append_bytes(token, bytes);
  return {repair_utf8(bytes)};
}

// "<0x0A>" as its byte. The library's parser takes a plus sign for the first digit, and so does this.
std::optional<char> fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  std::string_view digits = token.substr(3, 2);
  if (digits.front() == '+') digits.remove_prefix(1);
  uint8_t byte = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return static_cast<char>(byte);
}

Tokens byte_fallback(const Tokens& tokens) {
  Tokens texts;
  std::string run;
  const auto end_run = [&] {
    if (is_valid_utf8(run)) {
      if (!run.empty()) texts.push_back(run);
    } else {
      texts.insert(texts.end(), run.size(), "\uFFFD");
    }
    run.clear();
  };
  for (const std::string& token : tokens) {
    if (const auto byte = fallback_byte(token)) {
      run += *byte;
      continue;
    }
    end_run();
    texts.push_back(token);
  }
  end_run();
  return texts;
}

// Takes up to `start` times `content` from the front of a token and up to `stop` times from its end.
std::string stripped(std::string_view token, const std::string& content, int64_t start, int64_t stop) {
  for (; start > 0 && token.starts_with(content); --start) token.remove_prefix(content.size());
  for (; stop > 0 && token.ends_with(content); --stop) token.remove_suffix(content.size());
  return std::string(token);
}

}  // namespace

const StepMakers<TokenDecoder::Step>& TokenDecoder::makers() {
  static const StepMakers<Step> makers = {
      {"ByteLevel", [](const Component&) -> Step { return byte_level; }},
      {"ByteFallback", [](const Component&) -> Step { return byte_fallback; }},
      {"Fuse",
       [](const Component&) -> Step {
         return [](const Tokens& tokens) {
           std::string joined;
           for (const std::string& token : tokens) joined += token;
           return Tokens{joined};
         };
       }},
      {"Replace",
       [](const Component& component) -> Step {
         return [pattern = SplitPattern(component), content = component.text("content")](Tokens tokens) {
           for (std::string& token : tokens) token = pattern.replace(token, content);
           return tokens;
         };
       }},
      {"Strip",
       [](const Component& component) -> Step {
         const std::string content = component.text("content");
         size_t length = 0;
         if (!content.empty()) next_character(content, length);
         if (content.empty() || length != content.size())
           component.fail("expected one character for \"content\"");
         return
             [content, start = component.integer("start"), stop = component.integer("stop")](Tokens tokens) {
               for (std::string& token : tokens) token = stripped(token, content, start, stop);
               return tokens;
             };
       }},
  };
  return makers;
}

TokenDecoder::TokenDecoder(const Component& decoder) {
  append_steps(decoder, "decoders", makers(), steps_.emplace());
}

std::string TokenDecoder::operator()(std::vector<std::string> tokens) const {
  std::string text;
  if (!steps_) {
    for (const std::string& token : tokens) text += (&token == tokens.data() ? "" : " ") + token;
    return text;
  }
  for (const Step& step : *steps_) tokens = step(std::move(tokens));
  for (const std::string& token : tokens) text += token;
  return text;
}

}  // namespace keel
