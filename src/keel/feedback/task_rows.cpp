#include "keel/feedback/task_rows.h"

#include <algorithm>
#include <array>

#include "keel/base/files.h"
#include "keel/feedback/gold.h"

namespace keel::feedback {
namespace {

constexpr double kQualificationPriority = 1e9;  // before all others

// The prompt's completion of this text and model, made when it is not there.
int64_t completion_of(Store& store, int64_t prompt, const Json& item, const std::string& where) {
  const bool plain = item.is_string();
  if (!plain && !item.is_object()) throw Error(where, "expected texts in \"completions\", got another value");
  const auto text = plain ? item.get<std::string>() : json_get<std::string>(item, "text", "", where);
  const auto model = plain ? std::string() : json_get<std::string>(item, "model", "", where);
  for (const Completion& known : store.completions_of(prompt))
    if (known.passage.text == text && known.model == model) return known.id;
  return store.add_completion({.prompt = prompt, .passage = {.text = text}, .model = model});
}

void check_details(const Json& details, const std::string& where) {
  if (!details.is_object()) throw Error(where, "expected an object in \"details\", got another value");
  json_get<std::string>(details, "question", "", where);
  json_get<std::string>(details, "warning", "", where);
  json_get<bool>(details, "strength", false, where);
  json_get<bool>(details, "qualification", false, where);
  json_get<std::vector<std::string>>(details, "dimensions", {}, where);
  const auto scale = json_get<std::array<int64_t, 2>>(details, "scale", {1, 5}, where);
  if (scale[0] >= scale[1] || scale[1] - scale[0] > 100)
    throw Error(where, "expected a scale like [1, 5], got " + json_text(details.at("scale")));
}

Task task_of(Store& store, const Json& row, const std::string& where) {
  if (!row.is_object()) throw Error(where, "expected an object, got another value");
  const auto prompt = json_get<std::string>(row, "prompt", "", where);
  if (prompt.empty()) throw Error(where, "expected a text in \"prompt\", got none");
  Task task{.kind = task_kind(json_get<std::string>(row, "kind", "", where), where),
            .prompt = store.add_prompt({.text = prompt}),
            .copies = json_get<int64_t>(row, "copies", 0, where)};
  if (row.contains("details")) task.details = row.at("details");
  check_details(task.details, where);
  for (const Json& item : json_get<std::vector<Json>>(row, "completions", {}, where))
    task.completions.push_back(completion_of(store, task.prompt, item, where));
  return task;
}

}  // namespace

TaskCounts add_task_rows(Store& store, const std::filesystem::path& path) {
  TaskCounts counts;
  store.in_one_commit([&] {
    const std::vector<int64_t> known = store.tasks();
    for_each_line(path, [&](std::string_view line, int64_t number) {
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
      const std::string where = path.string() + ":" + std::to_string(number);
      const Json row = parse_json(line, where);
      ++counts.read;
      try {
        const Task task = task_of(store, row, where);
        check_gold(task);
        const int64_t id = store.add_task(task);
        counts.added += !std::binary_search(known.begin(), known.end(), id);
        const double first = is_qualification(task) ? kQualificationPriority : 0;
        if (const double priority = json_get<double>(row, "priority", first, where); priority != 0)
          store.set_priority(id, priority);
      } catch (const Refused& refused) {
        throw Error(where, refused.what());
      }
    });
  });
  return counts;
}

}  // namespace keel::feedback
