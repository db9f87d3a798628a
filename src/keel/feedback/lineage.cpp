#include "keel/feedback/lineage.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <set>

#include "keel/base/error.h"
#include "keel/base/files.h"

namespace keel::feedback {
namespace {

namespace fs = std::filesystem;

bool is_taken_out(const Passage& passage) {
  return passage.text.empty() && !passage.has_ids;
}

bool speaks_of_redacted(const JudgedRow& row) {
  return is_taken_out(row.prompt) ||
         std::ranges::any_of(row.completions, [](const Completion& c) { return is_taken_out(c.passage); });
}

Origin origin_of(Store& store, const std::set<int64_t>& standing, const Json& row, const std::string& where) {
  Origin origin{.key = json_get<std::string>(row, "key", "", where),
                .weight = json_get<double>(row, "weight", 1, where),
                .turned = json_get<bool>(row, "turned", false, where)};
  if (origin.key.empty())
    throw Error(where, "expected the `key` of a judgement, got a row without: it does not come from a store");
  const std::optional<JudgedRow> found = store.judgement_of_key(origin.key);
  if (!found) return origin;
  origin.known = true;
  origin.corrected = !standing.contains(found->receipt.judgement);
  origin.redacted = speaks_of_redacted(*found);
  origin.judgement = found->receipt.judgement;
  origin.event = found->receipt.event;
  origin.at = found->at;
  origin.annotator = found->annotator.name;
  origin.kind = annotator_kind_name(found->annotator.kind);
  origin.type = judgement_type_name(found->judgement.type);
  return origin;
}

// Of one annotator.
struct Share {
  std::string kind = {};
  int64_t judgements = 0, corrected = 0, turned = 0;
  double weight = 0;
};

std::map<std::string, Share> shares_of(const std::vector<Origin>& origins) {
  std::map<std::string, Share> shares;
  for (const Origin& origin : origins) {
    if (!origin.known) continue;
    Share& share = shares[origin.annotator];
    share.kind = origin.kind;
    ++share.judgements;
    share.corrected += origin.corrected;
    share.turned += origin.turned;
    share.weight += origin.weight;
  }
  return shares;
}

int64_t count(const std::vector<Origin>& origins, bool (*is)(const Origin&)) {
  return std::ranges::count_if(origins, is);
}

std::string date_of(int64_t at) {
  const std::time_t seconds = at;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
  return text;
}

// What the run was given as --data: of a store the rows that were frozen beside the run.
fs::path data_of(const Json& manifest, const std::string& where) {
  const auto data =
      json_get<std::string>(json_get<Json>(manifest, "options", Json::object(), where), "data", "", where);
  if (data.empty()) throw Error(where, "expected a run that learned from rows (--data), got another one");
  return data;
}

}  // namespace

std::vector<Origin> lineage(Store& store, const fs::path& rows) {
  std::set<int64_t> standing;
  for (const JudgedRow& row : store.judgements(Kinds::all, store.last_event()))
    standing.insert(row.receipt.judgement);
  std::vector<Origin> origins;
  for_each_line(rows, [&](std::string_view line, int64_t number) {
    const std::string where = rows.string() + ":" + std::to_string(number);
    origins.push_back(origin_of(store, standing, parse_json(line, where), where));
    origins.back().line = number;
  });
  return origins;
}

fs::path rows_of_run(const fs::path& run) {
  fs::path folder = run.lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  if (!fs::exists(folder / "manifest.json") && folder.filename() == "final") folder = folder.parent_path();
  const fs::path manifest_path = folder / "manifest.json";
  if (!fs::exists(manifest_path))
    throw Error(run.string(), "expected a run's folder, got no manifest.json in it");
  const Json manifest = read_json(manifest_path);
  const fs::path rows = data_of(manifest, manifest_path.string());
  if (!fs::exists(rows))
    throw Error(rows.string(), "expected the rows of " + run.string() + ", got no such file");
  const Json inputs = json_get<Json>(manifest, "inputs", Json::object(), manifest_path.string());
  const auto hash = json_get<std::string>(inputs, rows.string().c_str(), "", manifest_path.string());
  if (!hash.empty() && hash != sha256_of_file(rows))
    throw Error(rows.string(),
                "expected the rows that " + run.string() + " learned from, got others: they changed");
  return rows;
}

Json lineage_json(const std::vector<Origin>& origins) {
  Json object = {{"judgements", origins.size()},
                 {"unknown", count(origins, [](const Origin& o) { return !o.known; })},
                 {"corrected", count(origins, [](const Origin& o) { return o.corrected; })},
                 {"redacted", count(origins, [](const Origin& o) { return o.redacted; })},
                 {"turned", count(origins, [](const Origin& o) { return o.turned; })},
                 {"first_at", nullptr},
                 {"last_at", nullptr},
                 {"annotators", Json::array()}};
  for (const Origin& origin : origins) {
    if (!origin.known) continue;
    Json &first = object["first_at"], &last = object["last_at"];
    if (first.is_null() || origin.at < first.get<int64_t>()) first = origin.at;
    if (last.is_null() || origin.at > last.get<int64_t>()) last = origin.at;
  }
  for (const auto& [name, share] : shares_of(origins))
    object["annotators"].push_back({{"name", name},
                                    {"kind", share.kind},
                                    {"judgements", share.judgements},
                                    {"weight", share.weight},
                                    {"turned", share.turned},
                                    {"corrected", share.corrected}});
  return object;
}

std::string lineage_text(const std::vector<Origin>& origins) {
  const Json found = lineage_json(origins);
  std::string text = std::to_string(origins.size()) + " rows";
  if (!found["first_at"].is_null())
    text += ", judged from " + date_of(found["first_at"]) + " to " + date_of(found["last_at"]) + " (UTC)";
  text += "\n";
  for (const auto& [name, meaning] : {std::pair{"unknown", "that this store does not have"},
                                      {"corrected", "that were corrected since"},
                                      {"redacted", "of which a text was taken out since"},
                                      {"turned", "that say the contrary of their annotator"}})
    if (const auto number = found[name].get<int64_t>(); number > 0)
      text += "  " + std::to_string(number) + " " + meaning + "\n";
  char line[160];
  std::snprintf(line, sizeof line, "%-28s %-10s %10s %10s %10s\n", "annotator", "kind", "judgements",
                "weight", "corrected");
  text += line;
  for (const auto& [name, share] : shares_of(origins)) {
    std::snprintf(line, sizeof line, "%-28.60s %-10s %10lld %10.1f %10lld\n", name.c_str(),
                  share.kind.c_str(), static_cast<long long>(share.judgements), share.weight,
                  static_cast<long long>(share.corrected));
    text += line;
  }
  return text;
}

}  // namespace keel::feedback
