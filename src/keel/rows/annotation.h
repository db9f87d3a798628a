// What the exports of labelling tools have in common: a record of named texts, and what somebody said of it.
//
// An export does not say which text is the prompt and which are completions, so that follows from their
// names, in upper or lower case:
//   the prompt    the first of prompt, instruction, question, query, input, messages, chat, conversation,
//                 dialogue
//   a completion  completion, response, answer, output, generation, candidate, reply, option or text, alone
//                 or with a number or letter: response1, "Answer B"; or each element of a list of {id, body},
//                 named by its id
// Each may be messages. Without completions beside it, a conversation that ends with the assistant's message
// is a prompt and a completion. Texts of other names stay in `extra.fields`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "keel/rows/formats.h"

namespace keel {

struct JudgedTexts {
  Json prompt = nullptr;         // text or messages; null without one
  std::string prompt_name = {};  // its field, unless that holds the completion, too
  std::vector<std::pair<std::string, Json>> completions = {};  // by name, in the order of their numbers
  Json others = Json::object();
};

/// Errors: [file:line] neither a prompt nor a completion among the fields.
JudgedTexts judged_texts(Fields record);

/// Whether a text of this name would be taken for a completion.
bool is_completion_name(const std::string& name);

/// What one person or model said of one record, as rows.
class Annotation {
 public:
  /// `origin`: annotator, kind and what else belongs in `extra` of every row.
  Annotation(const JudgedTexts& texts, const Fields& record, Json origin)
      : texts_(texts), record_(record), origin_(std::move(origin)) {}

  /// Whether a text of this name is a completion; case, spaces, "_" and "-" do not count.
  bool is_completion(const std::string& name) const { return find(name) >= 0; }

  /// Completions by name with their ranks. Errors: [file:line] one that is none of the record's.
  void rank(const std::vector<std::pair<std::string, int64_t>>& ranks);
  /// One is better than the others, among which nothing is said.
  void prefer(const std::string& name);
  /// The first or the second of a pair.
  void prefer_side(size_t side);
  /// A number for a completion: the one named `target`, else the only one, else the one whose name `question`
  /// begins or ends with. The dimension is the question's name without it.
  void rate(const std::string& question, const Json& number, const std::string& target = "");
  /// One of several words was chosen: a completion's name prefers it, "tie" puts a pair level. Yes and no are
  /// a label where the question is called label, good or acceptable; else, since yes may mean bad, ratings of
  /// 1 and 0 in a dimension of the question's name. False for other words.
  bool choose(const std::string& question, const std::string& choice, const std::string& target = "");
  /// A completion of the prompt was written.
  void demonstrate(const std::string& text);
  void comment(const std::string& text);
  /// Something was said that is not read.
  void refuse(const std::string& reason) { refused_.push_back(reason); }

  /// Leaves the rows, each with origin, comment and other fields.
  void give(RowSink& rows);

 private:
  struct Ratings {
    int completion = 0;
    bool yes_or_no = false;  // else numbers, whose scale an export does not say
    Json values = Json::object();
  };

  int find(const std::string& name) const;
  bool is_empty(int completion) const;
  int target_of(std::string& question, const std::string& target) const;
  void add_comparison(const std::vector<std::pair<int, int64_t>>& ranks);
  void add_rating(int completion, const std::string& dimension, const Json& value, bool yes_or_no);
  Json row_about(int completion) const;

  const JudgedTexts& texts_;
  const Fields& record_;
  Json origin_;
  std::vector<Json> rows_;
  std::vector<Ratings> ratings_;
  std::string comment_;
  std::vector<std::string> refused_;
};

}  // namespace keel
