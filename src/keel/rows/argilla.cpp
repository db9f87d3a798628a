// Argilla's records as JSON: of 2.x what dataset.records.to_json writes, of 1.x the FeedbackRecords.
//   2.x   fields, responses {question: [{value, user_id}]}, suggestions {question: {value, agent}}
//   1.x   fields, responses [{user_id, status, values: {question: {value}}}],
//         suggestions [{question_name, value, agent, type}]
// The questions' types are not written, so an answer is read for what it is, with the texts that annotation.h
// tells by their names:
//   [{value, rank}], [completion, ...]   a ranking; 2.x writes no ranks, so that its ties come as an order
//   a number                             a rating
//   a word                               a completion's name, tie, yes or no: as Annotation::choose
//   a text                               a demonstration where its question is called as a completion would
//                                        be and the record has none; a comment where it is called comment,
//                                        feedback, reason, rationale, explanation, note or critique
// Responses are human and made by `user_id`; suggestions an AI's, `agent`, unless their type is human.
// Drafts, discarded responses, records that nobody answered and answers of no known kind are counted.
#include <algorithm>
#include <array>

#include "keel/rows/annotation.h"

namespace keel {
namespace {

// What one annotator answered.
struct Answers {
  Json origin;
  std::vector<std::pair<std::string, Json>> values = {};  // by question
};

Answers& answers_of(std::vector<Answers>& all, const Json& origin) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Answers& each) { return each.origin == origin; });
  return found != all.end() ? *found : all.emplace_back(Answers{origin});
}

Json origin_of(const char* kind, const Json& name) {
  Json origin = {{"kind", kind}};
  if (name.is_string()) origin["annotator"] = name;
  return origin;
}

void gather_responses(const Fields& record, const Json& responses, std::vector<Answers>& all, RowSink& rows) {
  if (responses.is_object()) {  // 2.x
    for (const auto& [question, answers] : responses.items())
      for (const Json& answer : record.list_of(answers, "responses")) {
        const Fields fields = record.within(record.object_of(answer, "responses"));
        answers_of(all, origin_of("human", fields.look("user_id")))
            .values.emplace_back(question, fields.look("value"));
      }
    return;
  }
  for (const Json& response : record.list_of(responses, "responses")) {
    const Fields fields = record.within(record.object_of(response, "responses"));
    if (fields.has("status") && fields.look("status") != "submitted") {
      rows.refuse("a response that is " + quoted_start(fields.text_of(fields.look("status"), "status")));
      continue;
    }
    Answers answers{origin_of("human", fields.look("user_id"))};
    for (const auto& [question, answer] : record.object_of(fields.look("values"), "responses.values").items())
      answers.values.emplace_back(question, record.within(record.object_of(answer, question)).look("value"));
    all.push_back(std::move(answers));
  }
}

void gather_suggestions(const Fields& record, const Json& suggestions, std::vector<Answers>& all) {
  const auto gather = [&](const std::string& question, const Fields& suggestion) {
    const char* kind = suggestion.look("type") == "human" ? "human" : "ai";
    answers_of(all, origin_of(kind, suggestion.look("agent")))
        .values.emplace_back(question, suggestion.look("value"));
  };
  if (suggestions.is_object()) {  // 2.x
    for (const auto& [question, suggestion] : suggestions.items())
      gather(question, record.within(record.object_of(suggestion, "suggestions")));
    return;
  }
  for (const Json& each : record.list_of(suggestions, "suggestions")) {
    const Fields suggestion = record.within(record.object_of(each, "suggestions"));
    gather(suggestion.text_of(suggestion.look("question_name"), "question_name"), suggestion);
  }
}

// [{value, rank}, ...], or names in their order; nothing when it is another list.
std::vector<std::pair<std::string, int64_t>> ranking_of(const Fields& record, const Json& list,
                                                        const Annotation& annotation) {
  std::vector<std::pair<std::string, int64_t>> ranks;
  for (const Json& element : list) {
    if (element.is_object() && element.contains("value") && element.contains("rank"))
      ranks.emplace_back(record.text_of(element["value"], "value"),
                         record.integers_of(Json::array({element["rank"]}), "rank", 1).front());
    else if (element.is_string() && annotation.is_completion(element.get<std::string>()))
      ranks.emplace_back(element.get<std::string>(), std::ssize(ranks) + 1);
    else
      return {};
  }
  return ranks;
}

bool is_called(const std::string& question, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return question.starts_with(name); });
}

bool read_text(const std::string& question, const std::string& text, bool has_completions,
               Annotation& annotation) {
  if (annotation.choose(question, text)) return true;
  if (is_called(question,
                {"comment", "feedback", "reason", "rationale", "explanation", "note", "critique"})) {
    annotation.comment(text);
    return true;
  }
  if (has_completions || !is_completion_name(question)) return false;
  annotation.demonstrate(text);
  return true;
}

void read_answer(const Fields& record, const std::string& question, const Json& value, bool has_completions,
                 Annotation& annotation) {
  bool read = true;
  if (value.is_number()) {
    annotation.rate(question, value);
  } else if (value.is_string()) {
    read = read_text(question, value.get<std::string>(), has_completions, annotation);
  } else if (value.is_array()) {
    const auto ranks = ranking_of(record, value, annotation);
    read = !ranks.empty();
    if (read) annotation.rank(ranks);
  } else {
    read = false;
  }
  if (!read) annotation.refuse("an answer to " + quoted_start(question) + " is of no known kind");
}

bool has_list_or_object(const Json& record, const char* name) {
  const auto found = record.find(name);
  return found != record.end() && found->is_structured();
}

}  // namespace

bool is_argilla(const Json& record) {
  const auto fields = record.find("fields");
  return fields != record.end() && fields->is_object() &&
         (has_list_or_object(record, "responses") || has_list_or_object(record, "suggestions"));
}

void read_argilla(Fields record, RowSink& rows) {
  const JudgedTexts texts = judged_texts(record.within(record.take_object("fields")));
  std::vector<Answers> all;
  if (record.has("responses")) gather_responses(record, record.look("responses"), all, rows);
  if (record.has("suggestions")) gather_suggestions(record, record.look("suggestions"), all);
  if (all.empty() && record.look("responses").empty()) rows.refuse("a record without responses");
  for (Answers& answers : all) {
    for (const char* name : {"id", "external_id"})
      if (record.look(name).is_string()) answers.origin["record"] = record.look(name);
    if (!record.look("metadata").empty()) answers.origin["metadata"] = record.look("metadata");
    Annotation annotation(texts, record, std::move(answers.origin));
    for (const auto& [question, value] : answers.values)
      read_answer(record, question, value, !texts.completions.empty(), annotation);
    annotation.give(rows);
  }
}

}  // namespace keel
