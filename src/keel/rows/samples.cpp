#include "keel/rows/samples.h"

#include "keel/base/error.h"
#include "keel/rows/rows.h"

namespace keel {

std::vector<SampledPrompt> read_samples(const std::filesystem::path& path) {
  std::vector<SampledPrompt> prompts;
  for (Row& row : read_rows(path).rows) {
    const std::string where = path.string() + ":" + std::to_string(row.line);
    if (!row.sampled || row.prompt.text.empty())
      throw Error(where, "expected a row of keel sample with its prompt and tokens, got a " +
                             std::string(row_kind_name(row.kind)) + " row without them");
    if (prompts.empty() || prompts.back().prompt != row.prompt.text) prompts.push_back({row.prompt.text, {}});
    prompts.back().answers.push_back(
        {.text = row.completions.front().text,
         .ids = std::move(*row.sampled),
         .logps = json_get<std::vector<double>>(row.extra, "logps", {}, where),
         .finished = json_get<std::string>(row.extra, "finish_reason", "", where) != "length"});
  }
  if (prompts.empty()) throw Error(path.string(), "expected rows of keel sample, got none");
  return prompts;
}

}  // namespace keel
