#include "keel/rows/fields.h"

#include <algorithm>
#include <limits>

#include "keel/base/error.h"

namespace keel {
namespace {

const Json kNone;

// At most 40 bytes, cut between two characters.
std::string beginning(std::string_view text) {
  size_t length = std::min<size_t>(text.size(), 40);
  while (length > 0 && length < text.size() && (text[length] & 0xC0) == 0x80) --length;
  return std::string(text.substr(0, length));
}

bool fits_int64(const Json& value) {
  return value.is_number_integer() &&
         (!value.is_number_unsigned() ||
          value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()});
}

}  // namespace

Fields::Fields(Json object, std::string path, int64_t line)
    : object_(std::move(object)), path_(std::move(path)), line_(line) {}

std::string Fields::where() const {
  return at_line(path_, line_);
}

void Fields::fail(const std::string& message) const {
  throw Error(where(), message);
}

const Json& Fields::look(const std::string& name) const {
  const auto found = object_.find(name);
  return found == object_.end() ? kNone : *found;
}

bool Fields::has(const std::string& name) const {
  return !look(name).is_null();
}

bool Fields::is_null(const std::string& name) const {
  return object_.contains(name) && !has(name);
}

std::string Fields::names() const {
  std::string names;
  for (const auto& [name, value] : object_.items()) {
    if (names.size() > 200) return names + ", ...";
    names += (names.empty() ? "" : ", ") + quoted_start(name);
  }
  return names.empty() ? "none" : names;
}

Json Fields::take(const std::string& name) {
  const auto found = object_.find(name);
  if (found == object_.end()) return {};
  Json value = std::move(*found);
  object_.erase(found);
  return value;
}

void Fields::give_rest(Json& object) {
  for (auto& [name, value] : object_.items()) object.emplace(name, std::move(value));
  object_ = Json::object();
}

std::string Fields::take_text(const std::string& name) {
  Json value = take(name);
  text_of(value, name);
  return std::move(value.get_ref<std::string&>());
}

Json Fields::take_list(const std::string& name) {
  Json value = take(name);
  list_of(value, name);
  return value;
}

Json Fields::take_object(const std::string& name) {
  Json value = take(name);
  object_of(value, name);
  return value;
}

double Fields::take_number(const std::string& name) {
  return number_of(take(name), name);
}

std::vector<int64_t> Fields::take_integers(const std::string& name, int64_t lowest) {
  return integers_of(take(name), name, lowest);
}

const std::string& Fields::text_of(const Json& value, const std::string& name) const {
  if (!value.is_string()) fail("expected text for `" + name + "`, got " + shown(value));
  return value.get_ref<const std::string&>();
}

const Json& Fields::list_of(const Json& value, const std::string& name) const {
  if (!value.is_array()) fail("expected a list for `" + name + "`, got " + shown(value));
  return value;
}

const Json& Fields::object_of(const Json& value, const std::string& name) const {
  if (!value.is_object()) fail("expected an object for `" + name + "`, got " + shown(value));
  return value;
}

double Fields::number_of(const Json& value, const std::string& name) const {
  if (!value.is_number()) fail("expected a number for `" + name + "`, got " + shown(value));
  return value.get<double>();
}

std::vector<int64_t> Fields::integers_of(const Json& list, const std::string& name, int64_t lowest) const {
  if (!list.is_array()) fail("expected a list of integers for `" + name + "`, got " + shown(list));
  std::vector<int64_t> result;
  result.reserve(list.size());
  for (const Json& value : list) {
    if (!fits_int64(value) || value.get<int64_t>() < lowest)
      fail("expected integers of at least " + std::to_string(lowest) + " for `" + name + "`, got " +
           shown(value));
    result.push_back(value.get<int64_t>());
  }
  return result;
}

std::string at_line(const std::string& path, int64_t line) {
  return path + ":" + std::to_string(line);
}

std::string quoted_start(std::string_view text) {
  return json_text(Json(beginning(text)));
}

std::string shown(const Json& value) {
  if (value.is_null()) return "null";
  return std::string(value.type_name()) + " " + beginning(json_text(value));
}

}  // namespace keel
