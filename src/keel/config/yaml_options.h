// Options from YAML files, with the line of the file in every refusal.
#pragma once

#include <yaml-cpp/yaml.h>

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "keel/config/options.h"

namespace keel {

/// A whole file. Errors: UsageError [file:line] not YAML.
YAML::Node load_yaml(const std::string& file);

/// "recipe.yaml:12", where a node starts.
std::string yaml_place(const YAML::Node& node, const std::string& file);

/// One word or number. Errors: UsageError [file:line] a list or a mapping.
std::string yaml_text(const YAML::Node& node, const std::string& file);

/// What $name stands for in the values of a mapping: one text or several.
using YamlVariables = std::map<std::string, std::vector<std::string>>;

/// A word or a list of words as texts. A $name within a text is replaced by what it stands for; a text that
/// is nothing else becomes as many texts. Without variables a dollar is a dollar. Errors: UsageError
/// [file:line] an unknown name, several texts within one, a mapping.
std::vector<std::string> yaml_texts(const YAML::Node& node, const std::string& file,
                                    const YamlVariables& variables = {});

/// Sets every field that a mapping names; the names in `besides` belong to somebody else.
/// Errors: UsageError [file:line] an unknown option, a value that it cannot have.
void apply_yaml(Options& options, const YAML::Node& mapping, const std::string& file,
                std::initializer_list<std::string_view> besides = {}, const YamlVariables& variables = {});

}  // namespace keel
