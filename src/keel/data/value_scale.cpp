#include "keel/data/value_scale.h"

#include "keel/base/error.h"
#include "keel/statistics/moments.h"

namespace keel {

Standardise standardise_named(const std::string& name) {
  if (name == "none") return Standardise::none;
  if (name == "all") return Standardise::all;
  if (name == "annotator") return Standardise::annotator;
  throw UsageError("--standardise", "expected none, all or annotator, got " + name);
}

ValueScale::Key ValueScale::key_of(const Judgement& judgement, const std::string& dimension) const {
  return {by_ == Standardise::annotator ? judgement.annotator : "", dimension};
}

void ValueScale::standardise(std::vector<Example>& examples) {
  if (by_ == Standardise::none) return;
  std::map<Key, std::vector<double>> unknown;
  for (const Example& example : examples)
    for (const auto& [dimension, value] : example.judgement.values)
      if (const Key key = key_of(example.judgement, dimension); !scales_.contains(key))
        unknown[key].push_back(value);
  for (const auto& [key, values] : unknown) {
    const double deviation = standard_deviation(values);
    scales_[key] = {mean(values), deviation > 0 ? deviation : 1};
  }
  for (Example& example : examples)
    for (auto& [dimension, value] : example.judgement.values) {
      const Scale& scale = scales_.at(key_of(example.judgement, dimension));
      value = (value - scale.mean) / scale.deviation;
    }
}

}  // namespace keel
