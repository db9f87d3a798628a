#include "keel/base/json.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/base/files.h"

namespace keel {

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path), path.string());
}

void check_nesting(std::string_view text, const std::string& where) {
  constexpr int kDeepest = 64;
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') ++i;
    if (quoted) continue;
    depth += (c == '[' || c == '{') - (c == ']' || c == '}');
    if (depth > kDeepest)
      throw Error(where, "expected JSON nested at most " + std::to_string(kDeepest) + " deep, got more");
  }
}

Json parse_json(std::string_view text, const std::string& where) {
  check_nesting(text, where);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, text.size()));
    const auto line = std::count(text.begin(), end, '\n');
    throw Error(line == 0 ? where : where + ":" + std::to_string(line + 1),
                "expected JSON, got a mistake at byte " + std::to_string(error.byte));
  }
}

std::string json_text(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

void fail_json_type(const std::string& where, const char* name, const Json& value) {
  throw Error(where, "expected another type for \"" + std::string(name) + "\", got " + value.type_name() +
                         " " + json_text(value).substr(0, 60));
}

}  // namespace keel
