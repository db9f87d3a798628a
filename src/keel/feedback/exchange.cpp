#include "keel/feedback/exchange.h"

#include <algorithm>
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
  if (row.judgement.shown) object["shown"] = true;
  object["key"] = row.key;
}

class Importer {
 public:
  Importer(Store& store, const std::filesystem::path& path, const std::optional<Annotator>& otherwise)
      : store_(store), path_(path.string()), otherwise_(otherwise) {}

  ImportCounts run() {
    const RowFile file = read_rows(path_);
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
    const bool ranking = row.kind == RowKind::ranking || row.kind == RowKind::preference;
    if (!ranking && row.kind != RowKind::label) {
      ++counts_.refused[std::string("a ") + row_kind_name(row.kind) + " row holds no judgement"];
      return;
    }
    const std::string where = path_ + ":" + std::to_string(row.line);
    const Annotator annotator = annotator_of(row, where);
    Judgement judgement{.annotator = store_.add_annotator(annotator),
                        .prompt = store_.add_prompt(row.prompt)};
    judgement.type = ranking ? JudgementType::ranking : JudgementType::label;
    judgement.ranks = row.ranks;
    judgement.label = row.label;
    judgement.shown = json_get<bool>(row.extra, "shown", false, where);
    judgement.completions = completions_of(row, judgement.prompt, where);
    submit(judgement, key_of(row, annotator, where));
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
  std::vector<int64_t> completions_of(const Row& row, int64_t prompt, const std::string& where) {
    const auto models = json_get<std::vector<std::string>>(
        row.extra, "models", std::vector<std::string>(row.completions.size()), where);
    if (models.size() != row.completions.size())
      throw Error(where, "expected a model for each completion in `models`, got another number");
    const std::vector<Completion> known = store_.completions_of(prompt);
    std::vector<int64_t> ids;
    for (size_t i = 0; i < models.size(); ++i) {
      const auto found = std::find_if(known.begin(), known.end(), [&](const Completion& candidate) {
        return candidate.passage == row.completions[i] && candidate.model == models[i] &&
               std::find(ids.begin(), ids.end(), candidate.id) == ids.end();
      });
      ids.push_back(
          found != known.end()
              ? found->id
              : store_.add_completion({.prompt = prompt, .passage = row.completions[i], .model = models[i]}));
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
    const std::string text = json_text(judgement_json(content)) + json_text(row.extra);
    return "row-" + sha256(text + std::to_string(copies_[text]++));
  }

  Store& store_;
  std::string path_;
  const std::optional<Annotator>& otherwise_;
  ImportCounts counts_;
  int64_t events_before_ = 0;
  std::set<int64_t> taken_;
  std::map<std::string, int64_t> copies_;
};

}  // namespace

ImportCounts import_judgements(Store& store, const std::filesystem::path& path,
                               const std::optional<Annotator>& otherwise) {
  return Importer(store, path, otherwise).run();
}

Json judgement_json(const JudgedRow& row) {
  Json object = Json::object();
  const bool has_prompt = !row.prompt.text.empty() || row.prompt.has_ids;
  put_passage(object, row.prompt, "prompt", "prompt_ids");
  if (row.judgement.type == JudgementType::ranking) {
    put_passages(object, row.completions);
    object["ranks"] = row.judgement.ranks;
  } else {
    put_passage(object, row.completions.at(0).passage, has_prompt ? "completion" : "text",
                has_prompt ? "completion_ids" : "input_ids");
    object["label"] = row.judgement.label.value();
  }
  put_origin(object, row);
  return object;
}

ExportCounts export_judgements(Store& store, Kinds kinds, int64_t last_event,
                               const std::filesystem::path& path) {
  ExportCounts counts;
  AtomicFile file(path);
  for (const JudgedRow& row : store.judgements(kinds, last_event)) {
    if (row.judgement.type == JudgementType::skip) {
      ++counts.skips;
      continue;
    }
    ++(row.judgement.type == JudgementType::ranking ? counts.rankings : counts.labels);
    file.write(json_text(judgement_json(row)) + "\n");
  }
  file.commit();
  return counts;
}

}  // namespace keel::feedback
