// Options from YAML files, with the line of the file in every refusal.
#pragma once

#include <yaml-cpp/yaml.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "keel/config/options.h"

namespace keel {

/// A whole file. Errors: UsageError [file:line] not YAML.
YAML::Node load_yaml(const std::string& file);

/// "recipe.yaml:12", where a node starts.
std::string yaml_place(const YAML::Node& node, const std::string& file);

/// One word or number. Errors: UsageError [file:line] a list or a mapping.
std::string yaml_text(const YAML::Node& node, const std::string& file);

/// Sets every field that a mapping names; the names in `besides` belong to somebody else.
/// Errors: UsageError [file:line] an unknown option, a value that it cannot have.
void apply_yaml(Options& options, const YAML::Node& mapping, const std::string& file,
                std::initializer_list<std::string_view> besides = {});

}  // namespace keel
