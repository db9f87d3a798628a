// Reading what a page sent: fields by name and type, within bounds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "keel/base/error.h"
#include "keel/base/json.h"

namespace keel {

/// A request that is no request: a missing field, another type, an unknown choice.
class BadRequest : public Error {
 public:
  explicit BadRequest(const std::string& message) : Error("request", message) {}
};

/// Nobody is logged in, or somebody else is by now.
class SignedOut : public Error {
 public:
  explicit SignedOut(const std::string& message) : Error("account", message) {}
};

/// Somebody is, who may not do this.
class Forbidden : public Error {
 public:
  explicit Forbidden(const std::string& message) : Error("account", message) {}
};

/// Too many of them, too soon.
class TooMany : public Error {
 public:
  explicit TooMany(const std::string& message) : Error("request", message) {}
};

/// Errors: BadRequest when the request is no object or has no such field.
const Json& member(const Json& request, const char* name);
/// The field when it is there and not null.
const Json* optional_member(const Json& request, const char* name);

/// A text of 1 to `longest` bytes.
std::string text_member(const Json& request, const char* name, size_t longest = 100);

/// A whole number of 0 to 2^53, which JSON readers agree on.
int64_t whole_number(const Json& value, const char* name);
int64_t whole_member(const Json& request, const char* name);
std::optional<int64_t> optional_whole(const Json& request, const char* name);
/// A list of them; absent: empty.
std::vector<int64_t> whole_numbers(const Json& request, const char* name);

}  // namespace keel
