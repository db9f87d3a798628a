#include "keel/tokenizer/component.h"

#include "keel/base/error.h"

namespace keel {
std::string quoted_excerpt(const TokenizerJson& value) {
  const std::string text = value.dump(-1, ' ', true, TokenizerJson::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 60) + "...";
}

Component::Component(const TokenizerJson& value, std::string file, std::string way)
    : value_(value), file_(std::move(file)), way_(std::move(way)) {
  if (!value_.is_object()) fail("expected an object, got " + quoted_excerpt(value_));
}

bool Component::has(const char* name) const {
  const auto found = value_.find(name);
  return found != value_.end() && !found->is_null();
}

const TokenizerJson& Component::member(const char* name) const {
  if (!has(name)) fail("expected a member \"" + std::string(name) + "\", got none");
  return *value_.find(name);
}

std::string Component::text(const char* name) const {
  const TokenizerJson& value = member(name);
  if (!value.is_string())
    fail("expected a text for \"" + std::string(name) + "\", got " + quoted_excerpt(value));
  return value.get<std::string>();
}

std::string Component::text(const char* name, const std::string& fallback) const {
  return has(name) ? text(name) : fallback;
}

bool Component::flag(const char* name) const {
  const TokenizerJson& value = member(name);
  if (!value.is_boolean())
    fail("expected true or false for \"" + std::string(name) + "\", got " + quoted_excerpt(value));
  return value.get<bool>();
}

bool Component::flag(const char* name, bool fallback) const {
  return has(name) ? flag(name) : fallback;
}

int64_t Component::integer(const char* name) const {
  const TokenizerJson& value = member(name);
  const bool fits = value.is_number_integer() && (!value.is_number_unsigned() ||
                                                  value.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
  if (!fits) fail("expected a whole number for \"" + std::string(name) + "\", got " + quoted_excerpt(value));
  return value.get<int64_t>();
}

Component Component::child(const char* name) const {
  return Component(member(name), file_, way_to(name));
}

std::vector<Component> Component::children(const char* name) const {
  const TokenizerJson& list = member(name);
  if (!list.is_array())
    fail("expected a list for \"" + std::string(name) + "\", got " + quoted_excerpt(list));
  std::vector<Component> children;
  for (size_t i = 0; i < list.size(); ++i)
    children.emplace_back(list[i], file_, way_to(name) + "[" + std::to_string(i) + "]");
  return children;
}

void Component::fail(const std::string& message) const {
  throw Error(way_.empty() ? file_ : file_ + ": " + way_, message);
}

void fail_unsupported(const Component& component, const std::string& type,
                      const std::vector<std::string>& supported) {
  std::string list;
  for (const std::string& name : supported) list += (list.empty() ? "" : ", ") + name;
  component.fail("expected a type among " + list + ", got " + quoted_excerpt(type) +
                 ": Keel cannot use this tokenizer");
}

}  // namespace keel
