// Reading tokenizer.json: one object at a time, each knowing the way that leads to it, so that every refusal
// names the file and the component. Plain nlohmann::json and not base's ordered one: a vocabulary is an
// object of 150,000 members, which the ordered kind fills in quadratic time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace keel {

using TokenizerJson = nlohmann::json;

/// The start of a value as one line of ASCII, for a message: hostile files hold long ones.
std::string quoted_excerpt(const TokenizerJson& value);

/// One JSON object; the JSON must outlive it.
class Component {
 public:
  /// `way`: the member names that lead here, "pre_tokenizer.pretokenizers[1]"; empty for the whole file.
  /// Errors: not an object.
  Component(const TokenizerJson& value, std::string file, std::string way = {});

  const TokenizerJson& value() const { return value_; }
  /// Whether a member is there and not null.
  bool has(const char* name) const;
  const TokenizerJson& member(const char* name) const;
  /// A member of that type. Errors: missing without a fallback, or of another type. A null counts as missing.
  std::string text(const char* name) const;
  std::string text(const char* name, const std::string& fallback) const;
  bool flag(const char* name) const;
  bool flag(const char* name, bool fallback) const;
  int64_t integer(const char* name) const;
  Component child(const char* name) const;
  std::vector<Component> children(const char* name) const;

  /// Throws Error: [file: way.to.component] message.
  [[noreturn]] void fail(const std::string& message) const;

 private:
  std::string way_to(const std::string& name) const { return way_.empty() ? name : way_ + "." + name; }

  const TokenizerJson& value_;
  std::string file_, way_;
};

/// Throws Error: the component's `type` is none of the `supported` ones.
[[noreturn]] void fail_unsupported(const Component& component, const std::string& type,
                                   const std::vector<std::string>& supported);

/// What each type of component becomes.
template <class Step>
using StepMakers = std::map<std::string, std::function<Step(const Component&)>>;

/// A component as the list of its steps: a Sequence, whose parts are in `parts_name`, is taken apart, in
/// order.
template <class Step>
void append_steps(const Component& component, const char* parts_name, const StepMakers<Step>& makers,
                  std::vector<Step>& steps, int depth = 0) {
  const std::string type = component.text("type");
  if (depth > 8) component.fail("expected at most 8 nested Sequences, got more");
  if (type == "Sequence") {
    for (const Component& part : component.children(parts_name))
      append_steps(part, parts_name, makers, steps, depth + 1);
    return;
  }
  const auto maker = makers.find(type);
  if (maker != makers.end()) return steps.push_back(maker->second(component));
  std::vector<std::string> supported = {"Sequence"};
  for (const auto& [name, ignored] : makers) supported.push_back(name);
  fail_unsupported(component, type, supported);
}

}  // namespace keel
