// JSON whose objects keep the order in which they were written, so that files can be compared by eye and
// hash.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace keel {

using Json = nlohmann::ordered_json;

/// Parses a whole file. Errors: [path:line] where and why it is not JSON.
Json read_json(const std::filesystem::path& path);

/// Parses one text; `where` opens the message of an error.
Json parse_json(std::string_view text, const std::string& where);

/// Files and messages are shallow: JSON nested deeper than 64 levels is an attack on the stack of whoever
/// parses, copies or writes it. Looked at before parsing. Errors: [where] deeper.
void check_nesting(std::string_view text, const std::string& where);

/// Compact, invalid UTF-8 replaced by U+FFFD: what comes from a model may be any bytes.
std::string json_text(const Json& value, int indent = -1);

/// The member `name` of `object` as T, or `fallback` when it is absent or null.
/// Errors: [where] expected a T for `name`, got another type.
template <class T>
T json_get(const Json& object, const char* name, const T& fallback, const std::string& where);

[[noreturn]] void fail_json_type(const std::string& where, const char* name, const Json& value);

template <class T>
T json_get(const Json& object, const char* name, const T& fallback, const std::string& where) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return fallback;
  try {
    return found->template get<T>();
  } catch (const Json::exception&) {
    fail_json_type(where, name, *found);
  }
}

}  // namespace keel
