// The fields of one record, each taken out with the type it must have; what stays is the caller's to keep.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keel/base/json.h"

namespace keel {

/// Every error names the record's place, the field, and the beginning of what was found.
class Fields {
 public:
  /// `object` must be a JSON object.
  Fields(Json object, std::string path, int64_t line);

  int64_t line() const { return line_; }
  std::string where() const;
  [[noreturn]] void fail(const std::string& message) const;

  /// Another object that the same record holds.
  Fields within(Json object) const { return Fields(std::move(object), path_, line_); }

  bool has(const std::string& name) const;  // and it is not null
  bool is_null(const std::string& name) const;
  /// null where there is none.
  const Json& look(const std::string& name) const;
  /// The names of all fields, quoted, for an error.
  std::string names() const;

  /// null where there is none.
  Json take(const std::string& name);
  Json take_rest() { return std::move(object_); }
  /// Moves what is left into `object`, but no field that it has already.
  void give_rest(Json& object);
  const Json& object() const { return object_; }

  /// Errors: another type, or none.
  std::string take_text(const std::string& name);
  Json take_list(const std::string& name);
  Json take_object(const std::string& name);
  double take_number(const std::string& name);
  std::vector<int64_t> take_integers(const std::string& name, int64_t lowest);

  /// The same for a value that is out already; `name` is what an error calls it.
  const std::string& text_of(const Json& value, const std::string& name) const;
  const Json& list_of(const Json& value, const std::string& name) const;
  const Json& object_of(const Json& value, const std::string& name) const;
  double number_of(const Json& value, const std::string& name) const;
  std::vector<int64_t> integers_of(const Json& list, const std::string& name, int64_t lowest) const;

 private:
  Json object_;
  std::string path_;
  int64_t line_;
};

/// "path:line", as errors name a place.
std::string at_line(const std::string& path, int64_t line);

/// The beginning of a text, quoted, so that it is one printable line.
std::string quoted_start(std::string_view text);
/// The type and the beginning of a value: number 5.
std::string shown(const Json& value);

}  // namespace keel
