// UTF-8, white space and the byte alphabet: the text side of tokenizer files.
// Broken UTF-8 follows the Unicode Standard, section 3.9 ("substitution of maximal subparts"), as Python's
// errors="replace" and Rust's from_utf8_lossy do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keel {

/// One character, or one maximal broken part, of a byte string.
struct ScannedCharacter {
  size_t length;  // in bytes, at least 1
  bool valid;
};

/// Looks at text[at], at < text.size().
ScannedCharacter scan_character(std::string_view text, size_t at);

bool is_valid_utf8(std::string_view bytes);

/// Each maximal broken part becomes one U+FFFD; valid text stays as it is.
std::string repair_utf8(std::string_view bytes);

/// The character at `at` of valid UTF-8; moves `at` behind it.
char32_t next_character(std::string_view text, size_t& at);

void append_utf8(std::string& text, char32_t character);

/// Unicode's White_Space property, which has not changed since Unicode 6.3.
bool is_white_space(char32_t character);

/// GPT-2's byte alphabet (Radford et al. 2019, encoder.py): each byte is written as one printable character,
/// so that a vocabulary of bytes is a vocabulary of text. UTF-8 of the character that stands for `byte`.
const std::string& byte_character(uint8_t byte);

/// The byte that a character of that alphabet stands for.
std::optional<uint8_t> byte_of_character(char32_t character);

}  // namespace keel
