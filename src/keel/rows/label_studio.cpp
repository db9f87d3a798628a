// Label Studio's JSON export (1.23; not JSON_MIN or CSV, which do not say what a result is of): a list of
// tasks with `data` and `annotations`. Results of these tags are read, with the texts that annotation.h tells
// by their names:
//   Pairwise   left or right of two completions
//   Ranker     an order of the items of a List; with several Buckets nothing says which is better: refused
//   Rating     a number for the completion that it names
//   Choices    one choice: a completion's name, tie, yes or no
//   TextArea   where the task has no completion a demonstration, else a comment on the other results
// Annotations are human and made by `completed_by`, an address or a number. Predictions, where an export has
// them in full and not as numbers, are an AI's: `model_version`. Skipped annotations, tasks without any, and
// results of other tags are counted.
#include "keel/rows/annotation.h"

namespace keel {
namespace {

void read_ranker(const Fields& result, const Json& ranker, Annotation& annotation) {
  if (ranker.is_object() && ranker.size() != 1)
    return annotation.refuse("a ranker with buckets orders nothing between them");
  const Json& order = ranker.is_object() ? ranker.front() : ranker;
  std::vector<std::pair<std::string, int64_t>> ranks;
  for (const Json& id : result.list_of(order, "value.ranker"))
    ranks.emplace_back(result.text_of(id, "value.ranker"), std::ssize(ranks) + 1);
  annotation.rank(ranks);
}

void read_choices(const Fields& result, const Json& choices, const std::string& question,
                  const std::string& target, Annotation& annotation) {
  if (result.list_of(choices, "value.choices").size() != 1)
    return annotation.refuse("several choices, or none, where one is read");
  if (!annotation.choose(question, result.text_of(choices[0], "value.choices"), target))
    annotation.refuse("a choice that is no completion's name, tie, yes or no");
}

void read_pairwise(const Fields& result, const Json& selected, Annotation& annotation) {
  const std::string& side = result.text_of(selected, "value.selected");
  if (side != "left" && side != "right")
    return annotation.refuse("a pair's choice that is neither left nor right");
  annotation.prefer_side(side == "left" ? 0 : 1);
}

// One submission is text, several are a list.
std::string text_area(const Fields& result, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string text;
  for (const Json& part : result.list_of(value, "value.text"))
    text += (text.empty() ? "" : "\n") + result.text_of(part, "value.text");
  return text;
}

void read_result(Fields result, bool has_completions, Annotation& annotation) {
  const std::string type = result.take_text("type");
  if (!result.has("value") || !result.has("from_name"))  // a relation between regions
    return annotation.refuse("results of type " + quoted_start(type) + " are not read");
  const std::string question = result.take_text("from_name");
  const std::string target = result.has("to_name") ? result.take_text("to_name") : "";
  const Fields value = result.within(result.take_object("value"));
  if (type == "pairwise")
    read_pairwise(result, value.look("selected"), annotation);
  else if (type == "ranker")
    read_ranker(result, value.look("ranker"), annotation);
  else if (type == "rating")
    annotation.rate(question, value.look("rating"), target);
  else if (type == "choices")
    read_choices(result, value.look("choices"), question, target, annotation);
  else if (type == "textarea" && has_completions)
    annotation.comment(text_area(result, value.look("text")));
  else if (type == "textarea")
    annotation.demonstrate(text_area(result, value.look("text")));
  else
    annotation.refuse("results of type " + quoted_start(type) + " are not read");
}

Json origin_of_annotation(Fields& annotation) {
  Json origin = {{"kind", "human"}};
  Json who = annotation.take("completed_by");
  if (who.is_object()) who = who.contains("email") ? who["email"] : who.value("id", Json());
  if (!who.is_null()) origin["annotator"] = who.is_string() ? who : Json(json_text(who));
  if (annotation.has("lead_time")) origin["lead_time"] = annotation.take_number("lead_time");
  return origin;
}

Json origin_of_prediction(Fields& prediction) {
  Json origin = {{"kind", "ai"}};
  if (prediction.look("model_version").is_string()) origin["annotator"] = prediction.take("model_version");
  return origin;
}

void give(Fields said, const JudgedTexts& texts, const Json& task, Json origin, RowSink& rows) {
  if (!task.is_null()) origin["record"] = task.is_string() ? task : Json(json_text(task));
  Annotation annotation(texts, said, std::move(origin));
  const Json results = said.take_list("result");
  for (const Json& result : results)
    read_result(said.within(said.object_of(result, "result")), !texts.completions.empty(), annotation);
  annotation.give(rows);
}

}  // namespace

bool is_label_studio(const Json& record) {
  const auto data = record.find("data");
  return data != record.end() && data->is_object() && record.contains("annotations");
}

void read_label_studio(Fields record, RowSink& rows) {
  const Json annotations = record.take_list("annotations"), predictions = record.take("predictions");
  if (annotations.empty()) rows.refuse("a task without annotations");
  const JudgedTexts texts = judged_texts(record.within(record.take_object("data")));
  for (const Json& each : annotations) {
    Fields annotation = record.within(record.object_of(each, "annotations"));
    if (annotation.look("was_cancelled") == true) {
      rows.refuse("skipped by the annotator");
      continue;
    }
    Json origin = origin_of_annotation(annotation);
    give(std::move(annotation), texts, record.look("id"), std::move(origin), rows);
  }
  if (!predictions.is_array()) return;
  for (const Json& each : predictions) {
    if (!each.is_object()) continue;  // the number of one that was not exported
    Fields prediction = record.within(each);
    Json origin = origin_of_prediction(prediction);
    give(std::move(prediction), texts, record.look("id"), std::move(origin), rows);
  }
}

}  // namespace keel
