#include "keel/server/judgement_requests.h"

#include <algorithm>
#include <array>

#include "keel/server/requests.h"

namespace keel {
namespace {

using feedback::Judgement;
using feedback::JudgementType;

JudgementType type_in(const Json& request) {
  constexpr std::array kTypes = {JudgementType::ranking, JudgementType::rating,        JudgementType::label,
                                 JudgementType::edit,    JudgementType::demonstration, JudgementType::flag,
                                 JudgementType::comment, JudgementType::skip};
  const std::string name = text_member(request, "type");
  const auto found = std::find_if(kTypes.begin(), kTypes.end(), [&](JudgementType type) {
    return name == feedback::judgement_type_name(type);
  });
  if (found == kTypes.end()) throw BadRequest("expected a type of judgement in \"type\", got another value");
  return *found;
}

std::optional<bool> truth_in(const Json& request, const char* name) {
  const Json* value = optional_member(request, name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean())
    throw BadRequest("expected true or false in \"" + std::string(name) + "\", got another value");
  return value->get<bool>();
}

double number_in(const Json& value, const char* name) {
  if (!value.is_number())
    throw BadRequest("expected a number in \"" + std::string(name) + "\", got another value");
  return value.get<double>();
}

std::map<std::string, double> ratings_in(const Json& request) {
  const Json* value = optional_member(request, "ratings");
  if (value == nullptr) return {};
  if (!value->is_object()) throw BadRequest("expected an object in \"ratings\", got another value");
  std::map<std::string, double> ratings;
  for (const auto& [dimension, rating] : value->items()) ratings[dimension] = number_in(rating, "ratings");
  return ratings;
}

std::string text_in(const Json& request) {
  const Json* value = optional_member(request, "text");
  if (value == nullptr) return "";
  if (!value->is_string()) throw BadRequest("expected a text in \"text\", got another value");
  return value->get<std::string>();
}

}  // namespace

Judgement judgement_in(const Json& request, int64_t annotator) {
  Judgement judgement{.annotator = annotator, .prompt = whole_member(request, "prompt")};
  judgement.task = optional_whole(request, "task");
  judgement.type = type_in(request);
  judgement.completions = whole_numbers(request, "completions");
  judgement.ranks = whole_numbers(request, "ranks");
  judgement.label = truth_in(request, "label");
  judgement.ratings = ratings_in(request);
  judgement.text = text_in(request);
  judgement.strength = optional_whole(request, "strength");
  judgement.none_acceptable = truth_in(request, "none_acceptable").value_or(false);
  judgement.adjudicates = truth_in(request, "adjudicates").value_or(false);
  judgement.shown = true;
  if (const Json* seconds = optional_member(request, "seconds"))
    judgement.seconds = number_in(*seconds, "seconds");
  judgement.guideline = optional_whole(request, "guideline");
  judgement.corrects = optional_whole(request, "corrects");
  return judgement;
}

void check_scale(const Judgement& judgement, const feedback::Task& task) {
  if (judgement.type != JudgementType::rating) return;
  const auto dimensions = json_get<std::vector<std::string>>(task.details, "dimensions", {}, "task");
  const auto scale = json_get<std::array<double, 2>>(task.details, "scale", {1, 5}, "task");
  for (const auto& [dimension, rating] : judgement.ratings) {
    if (!dimensions.empty() && std::find(dimensions.begin(), dimensions.end(), dimension) == dimensions.end())
      throw feedback::Refused("judgement", "expected ratings of the task's dimensions, got another one's");
    if (rating < scale[0] || rating > scale[1])
      throw feedback::Refused("judgement", "expected ratings within the task's scale, got one outside of it");
  }
  if (judgement.ratings.size() < dimensions.size())
    throw feedback::Refused("judgement", "expected a rating of each dimension, got fewer");
}

}  // namespace keel
