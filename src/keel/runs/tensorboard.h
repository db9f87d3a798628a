// Metrics as the event records that TensorBoard reads, written by hand: libtorch exports protobuf's symbols,
// so a program that links it cannot link protobuf's library.
//
// A record is its length, a checksum of that, an Event message, a checksum of that (TensorFlow's
// lib/io/record_writer.h). Event: wall_time = 1, step = 2, file_version = 3, summary = 5
// (core/util/event.proto); Summary: value = 1 {tag = 1, simple_value = 2} (core/framework/summary.proto).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "keel/base/json.h"

namespace keel {

/// What an event file begins with. wall_time: seconds since 1970.
std::string event_file_start(double wall_time);

/// Every number of a metrics row as a scalar of its "step", under its own name.
std::string event_record(const Json& row, double wall_time);

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
uint32_t crc32c(std::string_view bytes);

}  // namespace keel
