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

void apply_yaml(Options& options, const YAML::Node& mapping, const std::string& file,
                std::initializer_list<std::string_view> besides) {
  if (mapping.IsNull()) return;
  if (!mapping.IsMap())
    throw UsageError(yaml_place(mapping, file), "expected a mapping of option names to values");
  for (const auto& entry : mapping) {
    const std::string name = yaml_text(entry.first, file), place = yaml_place(entry.first, file);
    if (std::find(besides.begin(), besides.end(), name) != besides.end()) continue;
    if (entry.second.IsMap()) throw UsageError(place, "expected a value for " + name + ", got a mapping");
    std::vector<std::string> texts;
    if (!entry.second.IsSequence()) texts.push_back(yaml_text(entry.second, file));
    for (const auto& item : entry.second) texts.push_back(yaml_text(item, file));
    set_option(options, name, texts, place);
  }
}

}  // namespace keel
