#include "keel/server/task_view.h"

#include <algorithm>

#include "keel/base/files.h"
#include "keel/base/random.h"
#include "keel/server/markdown.h"

namespace keel {

TaskView::TaskView(feedback::Store& store, std::function<std::string(const std::vector<int64_t>&)> decode)
    : store_(store), identity_(store.identity()), decode_(std::move(decode)) {}

Json TaskView::operator()(const Reader& reader, const feedback::Task& task) const {
  Json view = {{"id", task.id}, {"kind", feedback::task_kind_name(task.kind)}, {"prompt", task.prompt}};
  view.update(passage(store_.prompt(task.prompt)));
  view["completions"] = Json::array();
  for (const int64_t id : shuffled(reader, task)) {
    Json completion = {{"id", id}};
    completion.update(passage(store_.completion(id).passage));
    view["completions"].push_back(completion);
  }
  const int64_t guideline = store_.guidelines().first;
  view["guideline"] = guideline == 0 ? Json() : Json(guideline);
  for (const char* name : {"question", "dimensions", "scale", "warning", "strength"})
    if (task.details.contains(name)) view[name] = task.details.at(name);
  return view;
}

std::vector<int64_t> TaskView::shuffled(const Reader& reader, const feedback::Task& task) const {
  std::vector<int64_t> completions = task.completions;
  std::sort(completions.begin(), completions.end());
  std::string name = identity_ + "/" + reader.name + "/" + std::to_string(task.prompt);
  for (const int64_t id : completions) name += "/" + std::to_string(id);
  const uint64_t seed = std::stoull(sha256(name).substr(0, 16), nullptr, 16);
  const KeyedPermutation permutation(seed, 0, std::ssize(completions), Stream::selection);
  std::vector<int64_t> result(completions.size());
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = completions[static_cast<size_t>(permutation(static_cast<int64_t>(i)))];
  return result;
}

Json TaskView::passage(const Passage& passage) const {
  std::string text = passage.text;
  if (text.empty() && decode_) text = decode_(passage.ids);
  if (text.empty())
    for (const int64_t id : passage.ids) text += (text.empty() ? "" : " ") + std::to_string(id);
  return {{"text", text}, {"html", markdown_html(text)}};
}

}  // namespace keel
