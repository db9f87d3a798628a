// QA-Feedback of Wu et al. (2023), "Fine-Grained Human Feedback Gives Better Rewards for Language Model
// Training": people's judgements of four sampled answers to a question with passages.
//
// The prompt is written as the authors write it for their models: "question: ... context: wikipage: ... text:
// ... | wikipage: ...". A record becomes, all of kind human:
//   a ranking        of the four answers, with ties, out of the six comparisons of `preference` in the order
//                    1-2, 1-3, 1-4, 2-3, 2-4, 3-4: 1 the first, 2 the second, 0 neither. `gold`, a written
//                    answer, stays in extra
//   ratings          of answer 1, from 0 to 1, in the categories of the paper's three reward models:
//                    relevance and factuality are the share of its characters outside of spans marked as
//                    irrelevant, redundant or incoherent, and as wrongly grounded or unverifiable;
//                    completeness is 1 when nothing is missing, else 0. The spans stay in extra: `errors`,
//                    with start and end in characters, and `missing_info`
//   a demonstration  the corrected answer 1, with `edit_of`
// Left out and counted: comparisons that no ranking fits, corrections that are empty or change nothing.
#include <array>

#include "keel/rows/formats.h"

namespace keel {
namespace {

constexpr size_t kAnswers = 4;
constexpr const char* kFirst = "prediction 1";

struct Question {
  std::string prompt;
  std::array<std::string, kAnswers> answers;
};

std::string take_prompt(Fields& record) {
  std::string prompt = "question: " + record.take_text("question") + " context: ";
  const Json passages = record.take_list("passages");
  for (size_t p = 0; p < passages.size(); ++p) {
    const Json& passage = record.list_of(passages[p], "passages");
    prompt += p == 0 ? "wikipage: " : " | wikipage: ";
    for (size_t i = 0; i < passage.size(); ++i)  // a title, then sentences
      prompt += (i == 0 ? "" : i == 1 ? " text: " : " ") + record.text_of(passage[i], "passages");
  }
  return prompt;
}

// The ranks that give each comparison its result; none when they contradict each other.
std::vector<int64_t> ranks_of_comparisons(const std::vector<int64_t>& comparisons) {
  std::vector<int64_t> ranks(kAnswers, 1);  // 1 + the number of better ones
  size_t c = 0;
  for (size_t i = 0; i < kAnswers; ++i)
    for (size_t j = i + 1; j < kAnswers; ++j, ++c)
      if (comparisons[c] != 0) ++ranks[comparisons[c] == 1 ? j : i];
  c = 0;
  for (size_t i = 0; i < kAnswers; ++i)
    for (size_t j = i + 1; j < kAnswers; ++j, ++c)
      if (comparisons[c] != (ranks[i] < ranks[j] ? 1 : ranks[i] > ranks[j] ? 2 : 0)) return {};
  return ranks;
}

std::vector<int64_t> take_comparisons(Fields& record) {
  std::vector<int64_t> comparisons = record.take_integers("preference", 0);
  if (comparisons.size() != kAnswers * (kAnswers - 1) / 2)
    record.fail("expected 6 comparisons in `preference`, got " + std::to_string(comparisons.size()));
  for (const int64_t result : comparisons)
    if (result > 2) record.fail("expected 0, 1 or 2 in `preference`, got " + std::to_string(result));
  return comparisons;
}

void give_ranking(Fields& record, const Question& question, RowSink& rows) {
  const std::vector<int64_t> ranks = ranks_of_comparisons(take_comparisons(record));
  if (ranks.empty()) return rows.refuse("no ranking fits the comparisons");
  Json row = {
      {"prompt", question.prompt}, {"completions", question.answers}, {"ranks", ranks}, {"kind", "human"}};
  if (record.has("gold")) row["gold"] = record.take("gold");
  read_keel(record.within(std::move(row)), rows);
}

size_t characters(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

// Which characters of an answer lie in spans of an error's category.
class Marks {
 public:
  explicit Marks(const std::string& answer) : marked_(characters(answer)) {}

  void mark(const Fields& error) {
    const size_t begin = bound(error, "start"), end = bound(error, "end");
    if (begin > end) error.fail("expected a span's `start` before its `end`, got them exchanged");
    for (size_t i = begin; i < end; ++i) marked_[i] = true;
  }

  double share_unmarked() const {
    size_t marked = 0;
    for (const bool mark : marked_) marked += mark;
    return 1 - static_cast<double>(marked) / static_cast<double>(marked_.size());
  }

 private:
  size_t bound(const Fields& error, const char* name) const {
    const std::vector<int64_t> place = error.integers_of(Json::array({error.look(name)}), name, 0);
    if (place[0] > static_cast<int64_t>(marked_.size()))
      error.fail("expected `" + std::string(name) + "` within the " + std::to_string(marked_.size()) +
                 " characters of the answer, got " + std::to_string(place[0]));
    return static_cast<size_t>(place[0]);
  }

  std::vector<bool> marked_;
};

bool is_of_relevance(const std::string& error) {
  return error == "Irrelevant" || error == "Redundant" || error == "Incoherent";
}

void give_ratings(Fields& feedback, const Question& question, RowSink& rows) {
  Marks irrelevant(question.answers[0]), unfounded(question.answers[0]);
  Json errors = feedback.take_list("errors"), missing = feedback.take_list("missing-info");
  for (const Json& error : errors) {
    Fields span = feedback.within(feedback.object_of(error, "errors"));
    const std::string category = span.take_text("error type");
    if (is_of_relevance(category))
      irrelevant.mark(span);
    else if (category == "Wrong-Grounding" || category == "Unverifiable")
      unfounded.mark(span);
    else
      span.fail("expected a known `error type`, got " + quoted_start(category));
  }
  Json row = {{"prompt", question.prompt},
              {"completion", question.answers[0]},
              {"ratings",
               {{"relevance", irrelevant.share_unmarked()},
                {"factuality", unfounded.share_unmarked()},
                {"completeness", missing.empty() ? 1 : 0}}},
              {"scale", {0, 1}},
              {"kind", "human"},
              {"errors", std::move(errors)},
              {"missing_info", std::move(missing)}};
  read_keel(feedback.within(std::move(row)), rows);
}

void give_edit(Fields& feedback, const Question& question, RowSink& rows) {
  const std::string corrected = feedback.take_text("corrected-prediction");
  if (corrected.find_first_not_of(" \n\t") == corrected.npos) return rows.refuse("a correction is empty");
  if (corrected == question.answers[0]) return rows.refuse("a correction changes nothing");
  Json row = {{"prompt", question.prompt},
              {"completion", corrected},
              {"kind", "human"},
              {"edit_of", question.answers[0]}};
  read_keel(feedback.within(std::move(row)), rows);
}

}  // namespace

bool is_qa_feedback(const Json& record) {
  return record.contains(kFirst) && record.contains("preference") && record.contains("question");
}

void read_qa_feedback(Fields record, RowSink& rows) {
  Question question{.prompt = take_prompt(record), .answers = {}};
  for (size_t i = 0; i < kAnswers; ++i) {
    const std::string name = "prediction " + std::to_string(i + 1);
    question.answers[i] = record.take_text(name);
    if (question.answers[i].empty())
      record.fail("expected at least one character for `" + name + "`, got none");
  }
  give_ranking(record, question, rows);
  Fields feedback = record.within(record.take_object("feedback"));
  give_ratings(feedback, question, rows);
  give_edit(feedback, question, rows);
}

}  // namespace keel
