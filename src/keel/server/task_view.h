// What a reader sees of a task: texts without the names of their models, in an order that is drawn by a key
// of store, annotator, prompt and completions; never what a gold item's answer is.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "keel/base/json.h"
#include "keel/feedback/store.h"

namespace keel {

/// Who is at the page.
struct Reader {
  int64_t annotator = 0;  // in the store
  std::string name = {};  // that annotator's name there
  bool is_lead = false;   // may see the board and do what stands there
};

class TaskView {
 public:
  /// `decode` may be empty: what the store holds as ids alone is then shown as numbers.
  TaskView(feedback::Store& store, std::function<std::string(const std::vector<int64_t>&)> decode);

  /// {id, kind, prompt, text, html, completions: [{id, text, html}], guideline, question, dimensions, scale,
  ///  warning, strength}: html is markdown_html of the text, "" for a very long one; guideline the newest
  ///  version, or null; the last five only where the task's details have them.
  Json operator()(const Reader& reader, const feedback::Task& task) const;

 private:
  std::vector<int64_t> shuffled(const Reader& reader, const feedback::Task& task) const;
  Json passage(const Passage& passage) const;

  feedback::Store& store_;
  const std::string identity_;
  const std::function<std::string(const std::vector<int64_t>&)> decode_;
};

}  // namespace keel
