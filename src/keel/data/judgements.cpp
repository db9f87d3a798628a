#include "keel/data/judgements.h"

#include <algorithm>
#include <cmath>

#include "keel/base/error.h"

namespace keel {
namespace {

[[noreturn]] void fail(const std::string& where, const std::string& wanted, const std::string& name,
                       const Json& got) {
  throw Error(where, "expected " + wanted + " for `" + name + "`, got " + json_text(got).substr(0, 60));
}

// The field, out of its CSV cell where it is one; null when it is absent.
Json field_of(const Row& row, const char* name, const std::string& where) {
  const auto found = row.extra.find(name);
  if (found == row.extra.end()) return nullptr;
  if (!found->is_string()) return *found;
  const auto& cell = found->get_ref<const std::string&>();
  if (cell.empty()) return nullptr;
  check_nesting(cell, where);
  const Json value = Json::parse(cell, nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() ? *found : value;
}

double number(const Json& value, const std::string& name, const std::string& where) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) fail(where, "a finite number", name, value);
  return value.get<double>();
}

std::vector<double> scores_of(const Row& row, const std::string& where) {
  const Json list = field_of(row, "scores", where);
  if (list.is_null()) return {};
  const std::string wanted =
      "a number for each of the " + std::to_string(row.completions.size()) + " completions";
  if (!list.is_array() || list.size() != row.completions.size()) fail(where, wanted, "scores", list);
  if (std::ranges::any_of(list, [](const Json& score) { return score.is_null(); })) return {};
  std::vector<double> scores;
  for (const Json& score : list) scores.push_back(number(score, "scores", where));
  return scores;
}

std::map<std::string, double> values_of(const Row& row, const std::string& where) {
  std::map<std::string, double> values;
  for (const Rating& rating : row.ratings) values[rating.dimension] = rating.value;
  const Json score = field_of(row, "score", where);
  if (!score.is_null()) values[kScoreDimension] = number(score, "score", where);
  return values;
}

std::string name_of(const Json& annotator) {
  if (annotator.is_null()) return "";
  return annotator.is_string() ? annotator.get<std::string>() : json_text(annotator);
}

}  // namespace

Judgement judgement_of(const Row& row, const std::string& where) {
  Judgement judgement{.weight = row.weight};
  if (row.kind == RowKind::preference || row.kind == RowKind::ranking)
    judgement.scores = scores_of(row, where);
  else
    judgement.values = values_of(row, where);
  judgement.annotator = name_of(field_of(row, "annotator", where));
  judgement.group = name_of(field_of(row, "group", where));
  return judgement;
}

}  // namespace keel
