// Rankings by GPT-4, out of two files that were joined from AlpacaEval's and RewardBench's annotations: each
// answer was compared with one reference, and what is ranked is how far it was preferred to it.
//
//   prompt, responses, gpt4_preference_over_ref, reference_gpt35t
//       The probability that each response is preferred, null where it is not known; the reference itself
//       stands at 1/2, behind the responses.
//   prompt, candidates: [{model, response, gpt4_win_over_text_davinci_003}]
//       1 won, 0 lost, 1/2 tied, null where it is not known; the reference is one of the candidates.
//
// Answers without a number are left out; so are those without text, and counted. These are an AI's
// judgements: `kind` is ai, `annotator` gpt4, and `scores` and `models` ("" where unknown) stand beside the
// completions. Left out and counted: prompts with fewer than two numbers.
#include "keel/rows/formats.h"

namespace keel {
namespace {

constexpr const char* kPreference = "gpt4_preference_over_ref";
constexpr const char* kReference = "reference_gpt35t";
constexpr const char* kWin = "gpt4_win_over_text_davinci_003";

struct Scored {
  Json texts = Json::array(), models = Json::array();
  std::vector<double> scores = {};
};

class Scoring {
 public:
  Scoring(const Fields& record, RowSink& rows) : record_(record), rows_(rows) {}

  void add(Json text, const std::string& model, const Json& score, const char* name) {
    if (score.is_null()) return;
    if (record_.text_of(text, "response").empty())
      return rows_.refuse("an answer without text is left out of its ranking");
    scored_.scores.push_back(record_.number_of(score, name));
    scored_.texts.push_back(std::move(text));
    scored_.models.push_back(model);
  }

  Scored result() { return std::move(scored_); }

 private:
  const Fields& record_;
  RowSink& rows_;
  Scored scored_;
};

Scored scored_responses(Fields& record, RowSink& rows) {
  Json responses = record.take_list("responses");
  const Json preferences = record.take_list(kPreference);
  if (responses.size() != preferences.size())
    record.fail("expected as many `" + std::string(kPreference) + "` as `responses`, got " +
                std::to_string(preferences.size()) + " and " + std::to_string(responses.size()));
  Scoring scoring(record, rows);
  for (size_t i = 0; i < responses.size(); ++i)
    scoring.add(std::move(responses[i]), "", preferences[i], kPreference);
  if (record.has(kReference)) scoring.add(record.take(kReference), "gpt35t", 0.5, kReference);
  return scoring.result();
}

Scored scored_candidates(Fields& record, RowSink& rows) {
  const Json candidates = record.take_list("candidates");
  Scoring scoring(record, rows);
  for (const Json& candidate : candidates) {
    Fields fields = record.within(record.object_of(candidate, "candidates"));
    const std::string model = fields.take_text("model");
    Json response = fields.take("response");
    scoring.add(std::move(response), model, fields.look(kWin), kWin);
  }
  return scoring.result();
}

}  // namespace

bool is_alpacaeval(const Json& record) {
  return record.contains("prompt") &&
         (record.contains("candidates") || (record.contains("responses") && record.contains(kPreference)));
}

void read_alpacaeval(Fields record, RowSink& rows) {
  Scored scored = record.has("candidates") ? scored_candidates(record, rows) : scored_responses(record, rows);
  if (scored.scores.size() < 2) return rows.refuse("fewer than two answers have a preference");
  Json row = {{"prompt", record.take_text("prompt")},
              {"completions", std::move(scored.texts)},
              {"ranks", ranks_of_scores(scored.scores)},
              {"annotator", "gpt4"},
              {"kind", "ai"},
              {"scores", scored.scores},
              {"models", std::move(scored.models)}};
  record.give_rest(row);
  read_keel(record.within(std::move(row)), rows);
}

}  // namespace keel
