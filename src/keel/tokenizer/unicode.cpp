#include "keel/tokenizer/unicode.h"

#include <algorithm>
#include <array>

namespace keel {
namespace {

// How a character that starts with `lead` goes on: its length, and what its second byte may be (Unicode,
// table 3-7).
struct LeadByte {
  size_t length;
  uint8_t second_low, second_high;
};

LeadByte lead_byte(uint8_t lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead < 0xF0)
    return {3, static_cast<uint8_t>(lead == 0xE0 ? 0xA0 : 0x80),
            static_cast<uint8_t>(lead == 0xED ? 0x9F : 0xBF)};
  if (lead < 0xF5)
    return {4, static_cast<uint8_t>(lead == 0xF0 ? 0x90 : 0x80),
            static_cast<uint8_t>(lead == 0xF4 ? 0x8F : 0xBF)};
  return {0, 0, 0};
}

bool prints_as_itself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct ByteAlphabet {
  std::array<std::string, 256> characters;
  std::array<int16_t, 512> bytes;  // by character; -1 for one outside the alphabet

  ByteAlphabet() {
    bytes.fill(-1);
    char32_t next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const char32_t character = prints_as_itself(byte) ? static_cast<char32_t>(byte) : next++;
      append_utf8(characters[static_cast<size_t>(byte)], character);
      bytes[character] = static_cast<int16_t>(byte);
    }
  }
};

const ByteAlphabet& byte_alphabet() {
  static const ByteAlphabet alphabet;
  return alphabet;
}

}  // namespace

ScannedCharacter scan_character(std::string_view text, size_t at) {
  const auto byte = [&](size_t index) { return static_cast<uint8_t>(text[index]); };
  const LeadByte lead = lead_byte(byte(at));
  if (lead.length <= 1) return {1, lead.length == 1};
  for (size_t i = 1; i < lead.length; ++i) {
    const uint8_t low = i == 1 ? lead.second_low : 0x80, high = i == 1 ? lead.second_high : 0xBF;
    if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) return {i, false};
  }
  return {lead.length, true};
}

bool is_valid_utf8(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const ScannedCharacter character = scan_character(bytes, at);
    if (!character.valid) return false;
    at += character.length;
  }
  return true;
}

std::string repair_utf8(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string repaired;
  for (size_t at = 0; at < bytes.size();) {
    const ScannedCharacter character = scan_character(bytes, at);
    repaired += character.valid ? bytes.substr(at, character.length) : "\uFFFD";
    at += character.length;
  }
  return repaired;
}

char32_t next_character(std::string_view text, size_t& at) {
  const auto lead = static_cast<uint8_t>(text[at++]);
  if (lead < 0x80) return lead;
  const int following = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  char32_t character = lead & (0x3F >> following);
  for (int i = 0; i < following; ++i) character = character << 6 | (static_cast<uint8_t>(text[at++]) & 0x3F);
  return character;
}

void append_utf8(std::string& text, char32_t character) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(static_cast<uint8_t>(byte)); };
  if (character < 0x80) return put(character);
  if (character < 0x800) return put(0xC0 | character >> 6), put(0x80 | (character & 0x3F));
  if (character < 0x10000) {
    put(0xE0 | character >> 12);
  } else {
    put(0xF0 | character >> 18);
    put(0x80 | (character >> 12 & 0x3F));
  }
  put(0x80 | (character >> 6 & 0x3F));
  put(0x80 | (character & 0x3F));
}

bool is_white_space(char32_t character) {
  return (character >= 0x09 && character <= 0x0D) || character == 0x20 || character == 0x85 ||
         character == 0xA0 || character == 0x1680 || (character >= 0x2000 && character <= 0x200A) ||
         character == 0x2028 || character == 0x2029 || character == 0x202F || character == 0x205F ||
         character == 0x3000;
}

const std::string& byte_character(uint8_t byte) {
  return byte_alphabet().characters[byte];
}

std::optional<uint8_t> byte_of_character(char32_t character) {
  const auto& bytes = byte_alphabet().bytes;
  if (character >= bytes.size() || bytes[character] < 0) return std::nullopt;
  return static_cast<uint8_t>(bytes[character]);
}

}  // namespace keel
