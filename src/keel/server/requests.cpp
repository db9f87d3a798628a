#include "keel/server/requests.h"

namespace keel {

const Json* optional_member(const Json& request, const char* name) {
  if (!request.is_object()) throw BadRequest("expected an object, got another value");
  const auto found = request.find(name);
  return found == request.end() || found->is_null() ? nullptr : &*found;
}

const Json& member(const Json& request, const char* name) {
  if (!request.is_object() || !request.contains(name))
    throw BadRequest("expected a field \"" + std::string(name) + "\", got none");
  return request.at(name);
}

std::string text_member(const Json& request, const char* name, size_t longest) {
  const Json& value = member(request, name);
  if (!value.is_string() || value.get_ref<const std::string&>().empty() ||
      value.get_ref<const std::string&>().size() > longest)
    throw BadRequest("expected a text of 1 to " + std::to_string(longest) + " bytes in \"" + name +
                     "\", got another value");
  return value.get<std::string>();
}

int64_t whole_number(const Json& value, const char* name) {
  if (!value.is_number_integer() || value > Json(int64_t{1} << 53) || value < Json(0))
    throw BadRequest("expected a whole number in \"" + std::string(name) + "\", got another value");
  return value.get<int64_t>();
}

int64_t whole_member(const Json& request, const char* name) {
  return whole_number(member(request, name), name);
}

std::optional<int64_t> optional_whole(const Json& request, const char* name) {
  const Json* value = optional_member(request, name);
  return value == nullptr ? std::nullopt : std::optional(whole_number(*value, name));
}

std::vector<int64_t> whole_numbers(const Json& request, const char* name) {
  const Json* value = optional_member(request, name);
  if (value == nullptr) return {};
  if (!value->is_array())
    throw BadRequest("expected a list in \"" + std::string(name) + "\", got another value");
  std::vector<int64_t> numbers;
  for (const Json& item : *value) numbers.push_back(whole_number(item, name));
  return numbers;
}

}  // namespace keel
