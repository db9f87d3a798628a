// A label server over a store of its own making, for tests that drive it from outside: killed, looked at in a
// browser.
//   keel_label_test_server --store FILE --port N [--annotator NAME] [--pairs N] [--tasks FILE]
//     [--guidelines FILE] [--copies N] [--annotators N] [--accounts FILE] [--chat N]
// A new store gets `--pairs` prompts with two completions each, or the tasks of a file (task_rows.h); each
// pair is asked for `--copies` times, without it as often as there are annotators. Programs are annotators by
// their tokens, "token-1" to "token-N". The "reward model" likes long texts. A line of the accounts' file is
// {"name", "password", "role", "closed"}.
#include <chrono>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/interrupt.h"
#include "keel/feedback/accounts.h"
#include "keel/feedback/task_rows.h"
#include "keel/server/label_server.h"

namespace keel {
namespace {

const char* const kOpenings[] = {"The lighthouse keeper had not seen a ship for", "Why does bread rise?",
                                 "A letter to the landlord about the broken window",
                                 "In the garden, the old dog"};
const char* const kShort[] = {
    "nine days. He lit the lamp all the same.",
    "Yeast eats sugar and gives off gas, and the dough holds the bubbles.",
    "Dear Mr Hale,\n\nThe kitchen window has been broken since Monday. Please send someone "
    "this week.\n\nYours, A. Voss",
    "slept where the sun was, and moved when it moved."};
const char* const kLong[] = {
    "nine days, and on the tenth he began to talk to the gulls, who were better listeners than the crew had "
    "ever been, "
    "though they asked for more bread. <b>He</b> did not mind & kept the lamp clean.",
    "Bread rises because it rises. The rising is what the bread does, and when the bread has risen it is "
    "risen bread, "
    "which is the bread that has risen, and so the bread is risen, as bread is.",
    "Dear Sir or Madam or whoever reads the letters,\n\nI am writing to inform you of the window. It is a "
    "window. It "
    "was a window. It will, I hope, be a window again. "
    "Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
    "dug up the tulips one by one and laid them in a row by the door, like someone who has done a day of "
    "work and "
    "would like it to be looked at. \xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D \xE4\xBD\xA0\xE5\xA5\xBD "
    "\xF0\x9F\x8C\xB7"};

void fill(feedback::Store& store, int pairs) {
  store.in_one_commit([&] {
    for (int i = 0; i < pairs; ++i) {
      const std::string mark = i < 4 ? "" : " (" + std::to_string(i) + ")";
      const int64_t prompt = store.add_prompt({.text = kOpenings[i % 4] + mark});
      store.add_completion({.prompt = prompt, .passage = {.text = kShort[i % 4]}, .model = "sft"});
      store.add_completion({.prompt = prompt, .passage = {.text = kLong[i % 4]}, .model = "ppo"});
    }
  });
}

std::map<std::string, Reader> readers(feedback::Store& store, int count) {
  std::map<std::string, Reader> known;
  for (int i = 1; i <= count; ++i) {
    const std::string name = "annotator " + std::to_string(i);
    known["token-" + std::to_string(i)] = {.annotator = store.add_annotator({.name = name}), .name = name};
  }
  return known;
}

// Those that are there already are left as they are.
void add_accounts(feedback::Accounts& accounts, const std::string& path) {
  for_each_line(path, [&](std::string_view line, int64_t) {
    const Json account = parse_json(line, path);
    const std::string name = account.at("name");
    if (accounts.find(name)) return;
    accounts.add(name, account.at("password"), feedback::role_named(account.at("role")));
    if (account.value("closed", false)) accounts.set_closed(name, true);
  });
}

// A model that says again what was said last, numbered; hostile, as models may be.
std::vector<std::string> echo(const std::string& dialogue, int64_t count) {
  static int answers = 0;
  const size_t end = dialogue.rfind("\n\nAssistant:"), begin = dialogue.rfind("Human: ", end) + 7;
  std::vector<std::string> texts;
  for (int64_t i = 0; i < count; ++i)
    texts.push_back(" Answer " + std::to_string(++answers) + " to **" + dialogue.substr(begin, end - begin) +
                    "** <img src=x onerror=\"document.title='hit'\">");
  return texts;
}

int serve(std::map<std::string, std::string> arguments) {
  const auto store = feedback::open_store(arguments.at("--store"), feedback::Access::create);
  if (arguments.contains("--tasks"))
    feedback::add_task_rows(*store, arguments.at("--tasks"));
  else if (store->prompts().empty())
    fill(*store, std::stoi(arguments.emplace("--pairs", "20").first->second));
  if (!arguments.contains("--tasks"))
    store->add_rankings(2, std::stoi(arguments.emplace("--copies", "0").first->second));
  if (arguments.contains("--guidelines")) store->add_guidelines(read_file(arguments.at("--guidelines")));
  LabelHooks hooks;
  hooks.reward = [&](int64_t id) { return static_cast<double>(store->completion(id).passage.text.size()); };
  hooks.train = [](int64_t last_event) {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    return "runs/demo/label-" + std::to_string(last_event);
  };
  if (arguments.contains("--chat")) hooks.chat = {"echo", echo};
  LabelOptions options{.port = std::stoi(arguments.at("--port"))};
  options.annotator = arguments.emplace("--annotator", "reader").first->second;
  options.tokens = readers(*store, std::stoi(arguments.emplace("--annotators", "0").first->second));
  std::optional<feedback::Accounts> accounts;
  if (arguments.contains("--accounts")) {
    accounts.emplace(arguments.at("--store"), *store, feedback::PasswordCost{.passes = 1, .bytes = 8192});
    add_accounts(*accounts, arguments.at("--accounts"));
  }
  LabelServer server(*store, options, hooks, accounts ? &*accounts : nullptr);
  std::cout << server.url() << std::endl;
  server.listen();
  return 0;
}

}  // namespace
}  // namespace keel

int main(int argc, char** argv) {
  std::map<std::string, std::string> arguments;
  for (int i = 1; i + 1 < argc; i += 2) arguments[argv[i]] = argv[i + 1];
  keel::install_interrupt_handler();
  try {
    return keel::serve(arguments);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
