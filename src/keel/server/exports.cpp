#include "keel/server/exports.h"

#include <stdlib.h>

#include <array>
#include <filesystem>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/feedback/exchange.h"
#include "keel/feedback/labels.h"
#include "keel/feedback/leaderboard.h"
#include "keel/feedback/reliability.h"
#include "keel/feedback/summary.h"

namespace keel {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"judgements.jsonl", "summary.json",     "agreement.json",
                                                    "reliability.json", "leaderboard.json", "archive.jsonl"};
constexpr Bootstrap kBootstrap = {.seed = 1, .resamples = 1000};

// A folder for one file, gone behind it; only its maker may look in.
class Passing {
 public:
  Passing() {
    std::string name = (std::filesystem::temp_directory_path() / "keel-export-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw Error(name, "cannot make a folder: " + system_message(errno));
    folder_ = name;
  }
  ~Passing() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Passing(const Passing&) = delete;
  Passing& operator=(const Passing&) = delete;
  std::filesystem::path file() const { return folder_ / "file"; }

 private:
  std::filesystem::path folder_;
};

Json reliability(feedback::Store& store, const std::vector<feedback::JudgedRow>& rows) {
  return feedback::reliability_json(feedback::reliability(rows, feedback::gold_rows(store)));
}

Json leaderboard(feedback::Store& store, const std::vector<feedback::JudgedRow>& rows) {
  try {
    return feedback::leaderboard_json(feedback::leaderboard(rows, store.models(), {}, kBootstrap));
  } catch (const Error& error) {
    throw feedback::Refused("export", error.what());
  }
}

}  // namespace

std::span<const std::string_view> export_names() {
  return kNames;
}

std::string exported(feedback::Store& store, std::string_view name, feedback::Kinds kinds, bool pseudonyms) {
  const int64_t event = store.last_event();
  const Passing passing;
  if (name == "archive.jsonl") {
    store.write_archive(passing.file());
    return read_file(passing.file());
  }
  if (name == "judgements.jsonl") {
    feedback::export_judgements(store, kinds, event, passing.file(),
                                {.names = pseudonyms ? feedback::Names::pseudonyms : feedback::Names::own});
    return read_file(passing.file());
  }
  const auto rows = store.judgements(kinds, event);
  const Json figures = name == "summary.json"       ? feedback::summary_json(feedback::summarise(rows))
                       : name == "agreement.json"   ? feedback::agreement_json(rows, kBootstrap)
                       : name == "reliability.json" ? reliability(store, rows)
                                                    : leaderboard(store, rows);
  return json_text(figures, 2) + "\n";
}

}  // namespace keel
