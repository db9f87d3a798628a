#include "keel/config/yaml_options.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/base/files.h"

namespace keel {

YAML::Node load_yaml(const std::string& file) {
  try {
    return YAML::Load(read_file(file));
  } catch (const YAML::Exception& error) {
    throw UsageError(file + ":" + std::to_string(error.mark.line + 1), "expected YAML: " + error.msg);
  }
}

std::string yaml_place(const YAML::Node& node, const std::string& file) {
  return file + ":" + std::to_string(node.Mark().line + 1);
}

std::string yaml_text(const YAML::Node& node, const std::string& file) {
  if (!node.IsScalar()) throw UsageError(yaml_place(node, file), "expected one word, got a nested value");
  return node.Scalar();
}

namespace {

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || c == '_';
}

const std::vector<std::string>& variable_named(const std::string& name, const YamlVariables& variables,
                                               const std::string& place) {
  const auto found = variables.find(name);
  if (found == variables.end()) throw UsageError(place, "expected a known variable, got $" + name);
  return found->second;
}

// A text with what each $name in it stands for.
std::string with_values(const std::string& text, const YamlVariables& variables, const std::string& place) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    while (text[at] == '$' && end < text.size() && is_name_letter(text[end])) ++end;
    if (end == at + 1) {
      result += text[at++];
      continue;
    }
    const auto& values = variable_named(text.substr(at + 1, end - at - 1), variables, place);
    if (values.size() != 1)
      throw UsageError(place, "expected one value within a text, got " + std::to_string(values.size()) +
                                  " of " + text.substr(at, end - at));
    result += values[0];
    at = end;
  }
  return result;
}

}  // namespace

std::vector<std::string> yaml_texts(const YAML::Node& node, const std::string& file,
                                    const YamlVariables& variables) {
  std::vector<std::string> texts;
  const auto add = [&](const YAML::Node& item) {
    const std::string text = yaml_text(item, file), place = yaml_place(item, file);
    const bool alone = !variables.empty() && text.size() > 1 && text[0] == '$' &&
                       std::all_of(text.begin() + 1, text.end(), is_name_letter);
    if (alone) {
      const auto& values = variable_named(text.substr(1), variables, place);
      texts.insert(texts.end(), values.begin(), values.end());
    } else {
      texts.push_back(variables.empty() ? text : with_values(text, variables, place));
    }
  };
  if (!node.IsSequence()) add(node);
  for (const auto& item : node) add(item);
  return texts;
}

void apply_yaml(Options& options, const YAML::Node& mapping, const std::string& file,
                std::initializer_list<std::string_view> besides, const YamlVariables& variables) {
  if (mapping.IsNull()) return;
  if (!mapping.IsMap())
    throw UsageError(yaml_place(mapping, file), "expected a mapping of option names to values");
  for (const auto& entry : mapping) {
    const std::string name = yaml_text(entry.first, file), place = yaml_place(entry.first, file);
    if (std::find(besides.begin(), besides.end(), name) != besides.end()) continue;
    if (entry.second.IsMap()) throw UsageError(place, "expected a value for " + name + ", got a mapping");
    set_option(options, name, yaml_texts(entry.second, file, variables), place);
  }
}

}  // namespace keel
