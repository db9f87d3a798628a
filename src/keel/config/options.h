// Options declared once. A stage's options are a struct whose visit() names each field, its help and its
// limits; flags, YAML recipes, help, documentation and manifests are all made from that one list.
//
//   struct SftOptions : Options {
//     int64_t steps = 0;
//     void visit(OptionVisitor& v) override { v(steps, "steps", "Optimizer steps.", at_least(0)); }
//   };
//
// Names are snake_case; a flag swaps "_" for "-". Order of precedence: defaults, YAML, flags, then check().
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "keel/base/json.h"

namespace keel {

/// What a value may be, beyond its type.
struct Rule {
  bool required = false;
  double lowest = -std::numeric_limits<double>::infinity();
  double highest = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices = {};
  char letter = 0;          // a one-letter flag
  bool reads = false;       // names a file or folder that is read: part of what a result depends on
  bool writes = false;      // names what is made
  bool positional = false;  // may be given as a bare word
};

inline Rule required() {
  return {.required = true};
}
inline Rule input() {
  return {.reads = true};
}
inline Rule required_input() {
  return {.required = true, .reads = true};
}
inline Rule required_output() {
  return {.required = true, .writes = true};
}
inline Rule at_least(double lowest) {
  return {.lowest = lowest};
}
inline Rule within(double lowest, double highest) {
  return {.lowest = lowest, .highest = highest};
}
inline Rule one_of(std::initializer_list<std::string> choices) {
  return {.choices = choices};
}

using OptionValue =
    std::variant<bool*, int64_t*, double*, std::string*, std::vector<std::string>*, std::vector<int64_t>*>;

struct Field {
  std::string name;
  std::string help;
  OptionValue value;
  Rule rule;
};

/// Collects the fields that Options::visit names.
class OptionVisitor {
 public:
  void operator()(OptionValue value, std::string name, std::string help, Rule rule = {});
  const std::vector<Field>& fields() const { return fields_; }

 private:
  std::vector<Field> fields_;
};

struct Options {
  virtual ~Options() = default;
  virtual void visit(OptionVisitor& visitor) = 0;
  /// Rules between fields. Throws UsageError.
  virtual void check() const {}
};

/// The fields of `options`, pointing into it. A name given twice is a bug and throws std::logic_error.
std::vector<Field> fields_of(Options& options);

/// Sets every field that the arguments name. `--config FILE` reads a YAML file first.
/// Errors: UsageError that names the flag, what it expects, and the nearest valid name of an unknown one.
void parse_flags(Options& options, const std::vector<std::string>& arguments);

/// Sets one field from text, with its type and rule checked.
void set_field(const Field& field, const std::string& text, const std::string& where);

/// Sets the field of this name; a list takes any number of texts, any other field one.
/// Errors: UsageError at `where` that names the nearest option of an unknown one.
void set_option(Options& options, const std::string& name, const std::vector<std::string>& texts,
                const std::string& where);

/// {"steps": 10, ...}, in the order of declaration.
Json options_json(Options& options);

/// The options part of `--help`, and the table of a page under docs/commands/.
std::string options_help(Options& options);
std::string options_markdown(Options& options);

/// "max_length" → "--max-length".
std::string flag_name(const std::string& name);

}  // namespace keel
