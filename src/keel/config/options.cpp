#include "keel/config/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <stdexcept>

#include "keel/base/error.h"
#include "keel/config/yaml_options.h"

namespace keel {
namespace {

std::string expected(const Field& field) {
  struct Name {
    std::string operator()(bool*) const { return "true or false"; }
    std::string operator()(int64_t*) const { return "a whole number"; }
    std::string operator()(double*) const { return "a number"; }
    std::string operator()(std::string*) const { return "a text"; }
    std::string operator()(std::vector<std::string>*) const { return "texts"; }
    std::string operator()(std::vector<int64_t>*) const { return "whole numbers"; }
  };
  if (field.rule.choices.empty()) return std::visit(Name{}, field.value);
  std::string text = "one of";
  for (const std::string& choice : field.rule.choices) text += (text == "one of" ? " " : ", ") + choice;
  return text;
}

[[noreturn]] void refuse(const Field& field, const std::string& text, const std::string& where,
                         const std::string& wanted) {
  std::string message = "expected " + wanted + " for " + field.name + ", got \"" + text + "\"";
  const std::string near = nearest_name(text, field.rule.choices);
  if (!near.empty()) message += ": did you mean " + near + "?";
  throw UsageError(where, message);
}

template <class Number>
Number parse_number(const Field& field, const std::string& text, const std::string& where) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (result.ec != std::errc() || result.ptr != end) refuse(field, text, where, expected(field));
  const auto value = static_cast<double>(number);
  if (!(std::isfinite(value) && value >= field.rule.lowest && value <= field.rule.highest)) {
    std::string limits = std::isfinite(value) ? "" : " that is finite";
    if (field.rule.lowest > -1e300) limits += " of at least " + Json(field.rule.lowest).dump();
    if (field.rule.highest < 1e300) limits += " of at most " + Json(field.rule.highest).dump();
    refuse(field, text, where, expected(field) + limits);
  }
  return number;
}

// Assigns a text to the field's variable.
struct Assign {
  const Field& field;
  const std::string& text;
  const std::string& where;
  void operator()(bool* value) const {
    if (text != "true" && text != "false") refuse(field, text, where, expected(field));
    *value = text == "true";
  }
  void operator()(int64_t* value) const { *value = parse_number<int64_t>(field, text, where); }
  void operator()(double* value) const { *value = parse_number<double>(field, text, where); }
  void operator()(std::string* value) const {
    const auto& choices = field.rule.choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end())
      refuse(field, text, where, expected(field));
    *value = text;
  }
  void operator()(std::vector<std::string>* value) const { value->push_back(text); }
  void operator()(std::vector<int64_t>* value) const {
    value->push_back(parse_number<int64_t>(field, text, where));
  }
};

bool is_list(const Field& field) {
  return std::visit(
      [](auto* value) {
        return requires {
          value->emplace_back();
        };
      },
      field.value);
}

std::vector<std::string> names_of(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

void require_all(const std::vector<Field>& fields) {
  for (const Field& field : fields) {
    const bool empty = std::visit(
        [](const auto* value) {
          if constexpr (requires { value->empty(); }) return value->empty();
          return false;
        },
        field.value);
    if (field.rule.required && empty)
      throw UsageError(flag_name(field.name), "expected a value, got none: " + field.help);
  }
}

const Field& find_field(const std::vector<Field>& fields, const std::string& name, const std::string& where) {
  const auto field =
      std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == name; });
  if (field != fields.end()) return *field;
  const std::string near = nearest_name(name, names_of(fields));
  throw UsageError(where, "expected an option, got unknown \"" + name + "\"" +
                              (near.empty() ? "" : ": did you mean " + near + "?"));
}

void clear_list(const Field& field) {
  std::visit(
      [](auto* value) {
        if constexpr (requires { value->emplace_back(); }) value->clear();
      },
      field.value);
}

// What was given on the command line for one field.
struct Given {
  const Field* field;
  std::vector<std::string> texts;
  CLI::Option* option = nullptr;
};

void add_option(CLI::App& app, Given& given) {
  const Field& field = *given.field;
  std::string names = flag_name(field.name);
  if (field.rule.letter != 0) names += std::string(",-") + field.rule.letter;
  if (std::holds_alternative<bool*>(field.value)) {
    const std::string positive = flag_name(field.name);
    given.option = app.add_flag(positive + ",!--no-" + positive.substr(2), given.texts);
  } else {
    given.option = app.add_option(names, given.texts);
    const bool list = is_list(field);
    given.option->expected(list ? -1 : 1)->allow_extra_args(list);
  }
}

// A bare word is the value of the positional option, when there is one and it was not given by its flag.
bool take_positional(const std::string& argument, std::vector<Given>& given) {
  if (argument.starts_with("-")) return false;
  for (Given& item : given)
    if (item.field->rule.positional && item.option->count() == 0 && item.texts.empty()) {
      item.texts = {argument};
      return true;
    }
  return false;
}

[[noreturn]] void refuse_unknown(const std::string& argument, const std::vector<Field>& fields) {
  if (!argument.starts_with("-"))
    throw UsageError(argument, "expected a flag such as --seed, got a bare word");
  std::string name = argument.substr(argument.find_first_not_of('-'), argument.find('=') - 2);
  std::replace(name.begin(), name.end(), '-', '_');
  const std::string near = nearest_name(name, names_of(fields));
  throw UsageError(argument, near.empty() ? "expected a known flag, got an unknown one: see --help"
                                          : "expected a known flag, got an unknown one: did you mean " +
                                                flag_name(near) + "?");
}

// A value as help and pages show it; a list's items side by side.
struct DefaultText {
  std::string operator()(bool* v) const { return *v ? "true" : "false"; }
  std::string operator()(int64_t* v) const { return std::to_string(*v); }
  std::string operator()(double* v) const { return Json(*v).dump(); }
  std::string operator()(std::string* v) const { return *v; }
  template <class Item>
  std::string operator()(std::vector<Item>* v) const {
    std::string text;
    for (Item& item : *v) text += (text.empty() ? "" : " ") + (*this)(&item);
    return text;
  }
};

std::string default_text(const OptionValue& value) {
  return std::visit(DefaultText{}, value);
}

std::string note_of(const Field& field) {
  std::string note = field.help;
  if (!field.rule.choices.empty()) note += " (" + expected(field) + ")";
  return note;
}

}  // namespace

void OptionVisitor::operator()(OptionValue value, std::string name, std::string help, Rule rule) {
  for (const Field& field : fields_)
    if (field.name == name) throw std::logic_error("option declared twice: " + name);
  fields_.push_back({std::move(name), std::move(help), value, std::move(rule)});
}

std::vector<Field> fields_of(Options& options) {
  OptionVisitor visitor;
  options.visit(visitor);
  return visitor.fields();
}

std::string flag_name(const std::string& name) {
  std::string flag = "--" + name;
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

void set_field(const Field& field, const std::string& text, const std::string& where) {
  std::visit(Assign{field, text, where}, field.value);
}

void parse_flags(Options& options, const std::vector<std::string>& arguments) {
  const std::vector<Field> fields = fields_of(options);
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::string config;
  app.add_option("--config", config);
  std::vector<Given> given(fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    given[i].field = &fields[i];
    add_option(app, given[i]);
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    throw UsageError("command line", error.what());
  }
  for (const std::string& argument : app.remaining())
    if (!take_positional(argument, given)) refuse_unknown(argument, fields);
  if (!config.empty()) apply_yaml(options, load_yaml(config), config);
  for (const Given& item : given) {
    if (item.texts.empty()) continue;
    clear_list(*item.field);
    for (const std::string& text : item.texts) set_field(*item.field, text, flag_name(item.field->name));
  }
  require_all(fields);
  options.check();
}

void set_option(Options& options, const std::string& name, const std::vector<std::string>& texts,
                const std::string& where) {
  const std::vector<Field> fields = fields_of(options);
  const Field& field = find_field(fields, name, where);
  if (texts.size() != 1 && !is_list(field))
    throw UsageError(where, "expected " + expected(field) + " for " + name + ", got a list of " +
                                std::to_string(texts.size()));
  clear_list(field);
  for (const std::string& text : texts) set_field(field, text, where);
}

Json options_json(Options& options) {
  Json object = Json::object();
  for (const Field& field : fields_of(options))
    std::visit([&](auto* value) { object[field.name] = *value; }, field.value);
  return object;
}

std::string options_help(Options& options) {
  std::string text;
  for (const Field& field : fields_of(options)) {
    std::string flag = "  " + flag_name(field.name);
    if (field.rule.letter != 0) flag += std::string(" (-") + field.rule.letter + ")";
    if (flag.size() < 28) flag.resize(28, ' ');
    text += flag + "  " + note_of(field);
    const std::string value = default_text(field.value);
    text += field.rule.required ? " [required]" : value.empty() ? "" : " [" + value + "]";
    text += "\n";
  }
  return text + "  --config                    A YAML file of these options; flags win over it.\n";
}

std::string options_markdown(Options& options) {
  std::string text = "| option | default | what it does |\n|---|---|---|\n";
  for (const Field& field : fields_of(options)) {
    const std::string value = default_text(field.value);
    text += "| `" + flag_name(field.name) + "` | " +
            (field.rule.required ? "required"
             : value.empty()     ? "–"
                                 : "`" + value + "`") +
            " | " + note_of(field) + " |\n";
  }
  return text;
}

}  // namespace keel
