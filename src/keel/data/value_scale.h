// Numbers that people gave, on one scale: less their mean, over their standard deviation, of each dimension
// or of each annotator in each dimension (people use a scale of seven differently).
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "keel/data/examples.h"

namespace keel {

enum class Standardise { none, all, annotator };

/// Errors: UsageError for a name that is none of none, all, annotator.
Standardise standardise_named(const std::string& name);

class ValueScale {
 public:
  explicit ValueScale(Standardise by) : by_(by) {}

  /// Measures what has no scale yet in these examples, then changes their values. Measured first, the
  /// training rows set the scale of held-out ones; an annotator whom only those have has a scale of their
  /// own.
  void standardise(std::vector<Example>& examples);

 private:
  using Key = std::pair<std::string, std::string>;  // annotator, dimension
  struct Scale {
    double mean = 0, deviation = 1;  // over n; a spread of 0 counts as 1
  };
  Key key_of(const Judgement& judgement, const std::string& dimension) const;

  Standardise by_;
  std::map<Key, Scale> scales_;
};

}  // namespace keel
