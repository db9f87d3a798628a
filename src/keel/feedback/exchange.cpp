#include "keel/feedback/exchange.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "keel/base/files.h"

namespace keel::feedback {
namespace {

// {"prompt": ..., "prompt_ids": ...}: what the passage has of both.
void put_passage(Json& object, const Passage& passage, const std::string& text_name,
                 const std::string& ids_name) {
  if (!passage.text.empty()) object[text_name] = passage.text;
  if (passage.has_ids) object[ids_name] = passage.ids;
}

// A list in which nobody has an element is left out; elsewhere null stands for "in the other list".
void put_passages(Json& object, const std::vector<Completion>& completions) {
  Json texts = Json::array(), ids = Json::array();
  for (const Completion& completion : completions) {
    const Passage& passage = completion.passage;
    texts.push_back(passage.text.empty() ? Json() : Json(passage.text));
    ids.push_back(passage.has_ids ? Json(passage.ids) : Json());
  }
  const auto is_null = [](const Json& value) { return value.is_null(); };
  if (!std::all_of(texts.begin(), texts.end(), is_null)) object["completions"] = texts;
  if (!std::all_of(ids.begin(), ids.end(), is_null)) object["completions_ids"] = ids;
}

void put_origin(Json& object, const JudgedRow& row) {
  object["annotator"] = row.annotator.name;
  object["kind"] = annotator_kind_name(row.annotator.kind);
  if (!row.annotator.parameters.empty()) object["parameters"] = row.annotator.parameters;
  Json models = Json::array();
  bool any_model = false;
  for (const Completion& completion : row.completions) {
    models.push_back(completion.model);
    any_model = any_model || !completion.model.empty();
  }
  if (any_model) object["models"] = models;
  const Judgement& judgement = row.judgement;
  if (judgement.shown) object["shown"] = true;
  if (judgement.strength) object["strength"] = *judgement.strength;
  if (judgement.none_acceptable) object["none_acceptable"] = true;
  if (judgement.seconds) object["seconds"] = *judgement.seconds;
  if (judgement.guideline) object["guideline"] = *judgement.guideline;
  object["key"] = row.key;
}

// A redacted text, and a prompt that was never there, are empty; only a label may do without a prompt.
bool is_readable(const JudgedRow& row) {
  const auto empty = [](const Passage& passage) { return passage.text.empty() && !passage.has_ids; };
  if (row.judgement.type != JudgementType::label && empty(row.prompt)) return false;
  return std::none_of(row.completions.begin(), row.completions.end(),
                      [&](const Completion& completion) { return empty(completion.passage); });
}

// The fields of a row that its type of judgement has; false when it has none.
bool put_judged(Json& object, const JudgedRow& row) {
  const Judgement& judgement = row.judgement;
  const bool has_prompt = !row.prompt.text.empty() || row.prompt.has_ids;
  switch (judgement.type) {
    case JudgementType::ranking:
      put_passages(object, row.completions);
      object["ranks"] = judgement.ranks;
      return true;
    case JudgementType::label:
      put_passage(object, row.completions.at(0).passage, has_prompt ? "completion" : "text",
                  has_prompt ? "completion_ids" : "input_ids");
      object["label"] = judgement.label.value();
      return true;
    case JudgementType::rating:
      put_passage(object, row.completions.at(0).passage, "completion", "completion_ids");
      object["ratings"] = judgement.ratings;
      return true;
    case JudgementType::demonstration:
      object["completion"] = judgement.text;
      return !judgement.text.empty();
    case JudgementType::edit:
      object["completion"] = judgement.text;
      object["edit_of"] = row.completions.at(0).passage.text;
      return !judgement.text.empty() && !row.completions.at(0).passage.text.empty();
    case JudgementType::flag:
    case JudgementType::comment:
    case JudgementType::skip:
      return false;
  }
  return false;
}

// The store keeps a conversation as its text.
bool same_content(const Passage& a, const Passage& b) {
  return a.text == b.text && a.has_ids == b.has_ids && a.ids == b.ids;
}

class Importer {
 public:
  Importer(Store& store, const std::filesystem::path& path, const std::optional<Annotator>& otherwise,
           RowFormat format)
      : store_(store), path_(path.string()), otherwise_(otherwise), format_(format) {}

  ImportCounts run() {
    const RowFile file = read_rows(path_, format_);
    counts_.refused = file.refused;
    counts_.read = static_cast<int64_t>(file.rows.size());
    for (const auto& [reason, count] : file.refused) counts_.read += count;
    store_.in_one_commit([&] {
      events_before_ = store_.last_event();
      for (const Row& row : file.rows) take(row);
    });
    return counts_;
  }

 private:
  void take(const Row& row) {
    const std::optional<JudgementType> type = type_of(row);
    if (!type) {
      ++counts_.refused[std::string("a ") + row_kind_name(row.kind) + " row holds no judgement"];
      return;
    }
    const std::string where = path_ + ":" + std::to_string(row.line);
    const Annotator annotator = annotator_of(row, where);
    Judgement judgement{.annotator = store_.add_annotator(annotator),
                        .prompt = store_.add_prompt(row.prompt),
                        .type = *type,
                        .label = row.label};
    if (*type == JudgementType::ranking) judgement.ranks = row.ranks;
    if (*type == JudgementType::edit || *type == JudgementType::demonstration)
      judgement.text = row.completions.at(0).text;
    for (const Rating& rating : row.ratings) judgement.ratings[rating.dimension] = rating.value;
    put_extra(judgement, row, where);
    judgement.completions = completions_of(row, judged_of(row, *type, where), judgement.prompt, where);
    submit(judgement, key_of(row, annotator, where));
  }

  // A row of keel sample has a completion, too, but nobody has written it.
  static std::optional<JudgementType> type_of(const Row& row) {
    switch (row.kind) {
      case RowKind::ranking:
        return JudgementType::ranking;
      case RowKind::preference:
        return JudgementType::ranking;
      case RowKind::label:
        return JudgementType::label;
      case RowKind::rating:
        return JudgementType::rating;
      case RowKind::completion:
        if (row.sampled || row.completions.at(0).text.empty()) return std::nullopt;
        return row.extra.contains("edit_of") ? JudgementType::edit : JudgementType::demonstration;
      default:
        return std::nullopt;
    }
  }

  // What was judged: not what the annotator wrote.
  static std::vector<Passage> judged_of(const Row& row, JudgementType type, const std::string& where) {
    if (type == JudgementType::demonstration) return {};
    if (type == JudgementType::edit)
      return {{.text = json_get<std::string>(row.extra, "edit_of", "", where)}};
    return row.completions;
  }

  void put_extra(Judgement& judgement, const Row& row, const std::string& where) const {
    judgement.shown = json_get<bool>(row.extra, "shown", false, where);
    judgement.none_acceptable = json_get<bool>(row.extra, "none_acceptable", false, where);
    if (row.extra.contains("strength"))
      judgement.strength = json_get<int64_t>(row.extra, "strength", 0, where);
    if (row.extra.contains("lead_time"))
      judgement.seconds = json_get<double>(row.extra, "lead_time", 0, where);
    if (row.extra.contains("seconds")) judgement.seconds = json_get<double>(row.extra, "seconds", 0, where);
  }

  void submit(const Judgement& judgement, const std::string& key) {
    try {
      const Receipt receipt = store_.submit(judgement, key);
      ++(receipt.event <= events_before_ || !taken_.insert(receipt.event).second ? counts_.already_there
                                                                                 : counts_.taken);
    } catch (const Refused& error) {  // its shape is sound: only the key can stand in the way
      ++counts_.refused[error.what()];
    }
  }

  Annotator annotator_of(const Row& row, const std::string& where) const {
    const std::string kind = json_get<std::string>(row.extra, "kind", "", where);
    if (kind.empty() && !otherwise_)
      throw Error(
          where,
          "expected a `kind` of annotator (human, simulated, ai), got none: name it on the command line");
    Annotator annotator = otherwise_.value_or(Annotator{AnnotatorKind::human, "unnamed"});
    if (!kind.empty()) annotator.kind = annotator_kind(kind, where);
    annotator.name = json_get<std::string>(row.extra, "annotator", annotator.name, where);
    annotator.parameters = json_get<Json>(row.extra, "parameters", annotator.parameters, where);
    return annotator;
  }

  // A completion that the prompt has already is used again, so that two annotators' judgements of one text
  // meet; equal texts within a row are different samples.
  std::vector<int64_t> completions_of(const Row& row, const std::vector<Passage>& judged, int64_t prompt,
                                      const std::string& where) {
    const auto models = json_get<std::vector<std::string>>(row.extra, "models",
                                                           std::vector<std::string>(judged.size()), where);
    if (models.size() != judged.size())
      throw Error(where, "expected a model for each completion in `models`, got another number");
    const std::vector<Completion> known = store_.completions_of(prompt);
    std::vector<int64_t> ids;
    for (size_t i = 0; i < models.size(); ++i) {
      const auto found = std::find_if(known.begin(), known.end(), [&](const Completion& candidate) {
        return same_content(candidate.passage, judged[i]) && candidate.model == models[i] &&
               std::find(ids.begin(), ids.end(), candidate.id) == ids.end();
      });
      ids.push_back(found != known.end() ? found->id
                                         : store_.add_completion(
                                               {.prompt = prompt, .passage = judged[i], .model = models[i]}));
    }
    return ids;
  }

  // A row without a key gets one from its content and from how often the file held the same before.
  std::string key_of(const Row& row, const Annotator& annotator, const std::string& where) {
    const std::string given = json_get<std::string>(row.extra, "key", "", where);
    if (!given.empty()) return given;
    JudgedRow content{.annotator = annotator, .prompt = row.prompt};
    for (const Passage& passage : row.completions) content.completions.push_back({.passage = passage});
    content.judgement = {.type = row.label ? JudgementType::label : JudgementType::ranking,
                         .ranks = row.ranks,
                         .label = row.label};
    Json fields = Json::object();
    put_passage(fields, row.prompt, "prompt", "prompt_ids");
    put_judged(fields, content);
    put_origin(fields, content);
    const std::string text = json_text(fields) + json_text(row.extra);
    return "row-" + sha256(text + std::to_string(copies_[text]++));
  }

  Store& store_;
  std::string path_;
  const std::optional<Annotator>& otherwise_;
  const RowFormat format_;
  ImportCounts counts_;
  int64_t events_before_ = 0;
  std::set<int64_t> taken_;
  std::map<std::string, int64_t> copies_;
};

}  // namespace

ImportCounts import_judgements(Store& store, const std::filesystem::path& path,
                               const std::optional<Annotator>& otherwise, RowFormat format) {
  return Importer(store, path, otherwise, format).run();
}

std::optional<Json> judgement_json(const JudgedRow& row) {
  Json object = Json::object();
  put_passage(object, row.prompt, "prompt", "prompt_ids");
  if (!is_readable(row) || !put_judged(object, row)) return std::nullopt;
  put_origin(object, row);
  return object;
}

std::optional<Json> judgement_json(JudgedRow row, double weight) {
  const bool turned = weight < 0;
  if (turned) reverse_ranks(row.judgement.ranks);
  if (turned && row.judgement.label) row.judgement.label = !*row.judgement.label;
  std::optional<Json> object = judgement_json(row);
  if (!object) return object;
  (*object)["weight"] = std::round(std::abs(weight) * 1e6) / 1e6;
  if (turned) (*object)["turned"] = true;
  return object;
}

Annotator pseudonym_of(const Annotator& person, const std::string& store_identity) {
  const std::string hash = sha256(store_identity + '\0' + person.name);
  return {.kind = person.kind, .name = "annotator-" + hash.substr(0, 12)};
}

ExportCounts export_judgements(Store& store, Kinds kinds, int64_t last_event,
                               const std::filesystem::path& path, const ExportOptions& options) {
  ExportCounts counts;
  AtomicFile file(path);
  const std::string identity = store.identity();
  for (JudgedRow& row : store.judgements(kinds, last_event)) {
    if (options.names == Names::pseudonyms && row.annotator.kind == AnnotatorKind::human)
      row.annotator = pseudonym_of(row.annotator, identity);
    const JudgementType type = row.judgement.type;
    const std::optional<Json> object =
        options.weight ? judgement_json(row, options.weight(row)) : judgement_json(row);
    ++(object ? counts.written : counts.left_out)[type];
    if (object) file.write(json_text(*object) + "\n");
  }
  file.commit();
  return counts;
}

}  // namespace keel::feedback
