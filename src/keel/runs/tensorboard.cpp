#include "keel/runs/tensorboard.h"

#include <array>
#include <bit>

namespace keel {
namespace {

constexpr uint32_t kReversedPolynomial = 0x82F63B78;

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    table[byte] = byte;
    for (int bit = 0; bit < 8; ++bit)
      table[byte] = (table[byte] >> 1) ^ (table[byte] & 1 ? kReversedPolynomial : 0);
  }
  return table;
}

// Little-endian, whatever the machine is.
template <class Unsigned>
std::string bytes_of(Unsigned value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xFF);
  return bytes;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  return bytes + static_cast<char>(value);
}

// A field of protobuf's wire format begins with its number and type.
enum WireType : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

std::string tag(uint64_t field, WireType type) {
  return varint((field << 3) | type);
}
std::string bytes_field(uint64_t field, std::string_view content) {
  return tag(field, kBytes) + varint(content.size()) + std::string(content);
}
std::string double_field(uint64_t field, double value) {
  return tag(field, kFixed64) + bytes_of(std::bit_cast<uint64_t>(value));
}
std::string float_field(uint64_t field, double value) {
  return tag(field, kFixed32) + bytes_of(std::bit_cast<uint32_t>(static_cast<float>(value)));
}

// A checksum of data that may hold checksums itself is masked.
std::string masked_checksum(std::string_view bytes) {
  return bytes_of(std::rotr(crc32c(bytes), 15) + 0xA282EAD8U);
}

std::string record_of(std::string_view event) {
  const std::string length = bytes_of(static_cast<uint64_t>(event.size()));
  return length + masked_checksum(length) + std::string(event) + masked_checksum(event);
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = crc_table();
  uint32_t crc = ~0U;
  for (const char byte : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

std::string event_file_start(double wall_time) {
  return record_of(double_field(1, wall_time) + bytes_field(3, "brain.Event:2"));
}

namespace {

// A group of figures ("timing") becomes a group of TensorBoard's ("timing/rollout").
std::string summary_of(const Json& row, const std::string& group) {
  std::string summary;
  for (const auto& [name, value] : row.items())
    if (value.is_object())
      summary += summary_of(value, group + name + "/");
    else if (value.is_number() && name != "step")
      summary += bytes_field(1, bytes_field(1, group + name) + float_field(2, value.get<double>()));
  return summary;
}

}  // namespace

std::string event_record(const Json& row, double wall_time) {
  const std::string summary = summary_of(row, "");
  const auto step = static_cast<uint64_t>(row["step"].get<int64_t>());
  return record_of(double_field(1, wall_time) + tag(2, kVarint) + varint(step) + bytes_field(5, summary));
}

}  // namespace keel
