#include "keel/rows/folds.h"

#include <algorithm>
#include <map>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/random.h"

namespace keel {
namespace {

std::string group_of(const RowFile& file, const Row& row, const std::string& by) {
  if (by.empty()) return row.prompt.has_ids ? json_text(Json(row.prompt.ids)) : row.prompt.text;
  const auto found = row.extra.find(by);
  if (found == row.extra.end())
    throw Error(file.path + ":" + std::to_string(row.line),
                "expected a field " + by + " to split by, got none");
  return json_text(*found);
}

}  // namespace

std::vector<int64_t> folds_of(const RowFile& file, int64_t folds, const std::string& by, uint64_t seed) {
  std::vector<std::string> groups;
  std::map<std::string, int64_t> fold;  // by the hash that orders the groups
  for (const Row& row : file.rows) {
    groups.push_back(sha256(std::to_string(seed) + "\n" + group_of(file, row, by)));
    fold[groups.back()] = 0;
  }
  if (std::ssize(fold) < folds)
    throw Error(file.path, "expected at least " + std::to_string(folds) + " groups, got " +
                               std::to_string(fold.size()) + ": ask for fewer --folds");
  int64_t next = 0;
  for (auto& [group, place] : fold) place = next++ % folds;
  std::vector<int64_t> result;
  for (const std::string& group : groups) result.push_back(fold.at(group));
  return result;
}

void permute_judgements(std::vector<Row>& rows, uint64_t seed) {
  for (size_t i = 0; i < rows.size(); ++i) {
    const RandomKey key{.seed = seed, .stream = Stream::permuted_labels, .prompt = static_cast<uint32_t>(i)};
    if (uniform(key) < 0.5) continue;
    Row& row = rows[i];
    if (row.label) row.label = !*row.label;
    reverse_ranks(row.ranks);
  }
}

}  // namespace keel
