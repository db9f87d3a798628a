#include "keel/rows/annotation.h"

#include <algorithm>
#include <array>

#include "keel/rows/messages.h"

namespace keel {
namespace {

constexpr std::array kPromptNames = {"prompt",   "instruction", "question",     "query",   "input",
                                     "messages", "chat",        "conversation", "dialogue"};
constexpr std::array kCompletionNames = {"completion", "response", "answer", "output", "generation",
                                         "candidate",  "reply",    "option", "text"};

// In lower case and without spaces, "_" and "-".
std::string plain(const std::string& name) {
  std::string result;
  for (const char c : name)
    if (c != ' ' && c != '_' && c != '-')
      result += (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_passage(const Json& value) {
  return value.is_string() || is_conversation(value);
}

Json as_messages(const char* role, const Json& text) {
  return Json::array({Json{{"role", role}, {"content", text}}});
}

// A list to be ranked: [{"id": ..., "body": ...}, ...].
bool is_item_list(const Json& value) {
  return value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), [](const Json& item) {
           return item.is_object() && item.contains("id") &&
                  (item.contains("body") || item.contains("title"));
         });
}

void add_items(const Json& list, const Fields& record, JudgedTexts& texts) {
  for (const Json& item : list) {
    const Json& id = item["id"];
    const auto body = item.find("body");
    const Json& text = body != item.end() && body->is_string() ? *body : item.value("title", Json());
    texts.completions.emplace_back(id.is_string() ? id.get<std::string>() : json_text(id),
                                   record.text_of(text, "body"));
  }
}

// By their numbers or letters when these are all that tells them apart.
void sort_by_number(std::vector<std::pair<std::string, Json>>& completions) {
  const auto stem = [](const std::string& name) { return name.substr(0, name.find_first_of("0123456789")); };
  if (std::all_of(completions.begin(), completions.end(),
                  [&](const auto& each) { return stem(each.first) == stem(completions.front().first); }))
    std::stable_sort(completions.begin(), completions.end(), [](const auto& a, const auto& b) {
      return std::pair(a.first.size(), a.first) < std::pair(b.first.size(), b.first);
    });
}

// A conversation that ends with an answer is the prompt and what is judged.
void split_conversation(JudgedTexts& texts) {
  if (!texts.completions.empty() || !is_conversation(texts.prompt)) return;
  Json last = texts.prompt.back();
  if (last.value("role", "") != "assistant") return;
  texts.prompt.erase(texts.prompt.size() - 1);
  texts.completions.emplace_back("messages", Json::array({std::move(last)}));
  if (texts.prompt.empty()) texts.prompt = nullptr;
  texts.prompt_name.clear();
}

// Where one of prompt and completions is messages, the others are, too.
void give_one_form(JudgedTexts& texts) {
  bool messages = is_conversation(texts.prompt);
  for (const auto& [name, text] : texts.completions) messages = messages || is_conversation(text);
  if (!messages) return;
  if (texts.prompt.is_string()) texts.prompt = as_messages("user", texts.prompt);
  for (auto& [name, text] : texts.completions)
    if (text.is_string() && text != "") text = as_messages("assistant", text);
}

// The name without the part that names a completion; "" when it does not.
std::string dimension_of(const std::string& question, const std::string& completion) {
  constexpr std::string_view kBetween = " _-.:";
  const auto trimmed = [&](std::string_view rest) {
    const size_t begin = std::min(rest.find_first_not_of(kBetween), rest.size());
    rest = rest.substr(begin, rest.find_last_not_of(kBetween) + 1 - begin);
    return rest.empty() ? std::string("rating") : std::string(rest);
  };
  const size_t size = completion.size();
  if (question.ends_with(completion)) {
    const std::string_view rest = std::string_view(question).substr(0, question.size() - size);
    if (rest.empty() || kBetween.find(rest.back()) != kBetween.npos) return trimmed(rest);
  }
  if (question.starts_with(completion)) {
    const std::string_view rest = std::string_view(question).substr(size);
    if (rest.empty() || kBetween.find(rest.front()) != kBetween.npos) return trimmed(rest);
  }
  return "";
}

}  // namespace

bool is_completion_name(const std::string& name) {
  const std::string text = plain(name);
  return std::any_of(kCompletionNames.begin(), kCompletionNames.end(), [&](std::string_view stem) {
    if (!text.starts_with(stem)) return false;
    const std::string_view rest = std::string_view(text).substr(stem.size());
    const bool letter = rest.size() == 1 && rest[0] >= 'a' && rest[0] <= 'z';
    return letter || std::all_of(rest.begin(), rest.end(), is_digit);
  });
}

JudgedTexts judged_texts(Fields record) {
  JudgedTexts texts;
  const std::string names = record.names();
  for (const char* name : kPromptNames)
    if (texts.prompt.is_null() && is_passage(record.look(name)) && record.look(name) != "") {
      texts.prompt = record.take(name);
      texts.prompt_name = name;
    }
  Json rest = record.take_rest();
  for (auto& [name, value] : rest.items()) {
    if (is_item_list(value))
      add_items(value, record, texts);
    else if (is_completion_name(name) && is_passage(value))
      texts.completions.emplace_back(name, std::move(value));
    else if (!value.is_null())
      texts.others[name] = std::move(value);
  }
  sort_by_number(texts.completions);
  split_conversation(texts);
  give_one_form(texts);
  if (texts.prompt.is_null() && texts.completions.empty())
    record.fail(
        "expected a prompt or a completion among the texts, by names as prompt, instruction, response, "
        "answer1; got " +
        names);
  return texts;
}

int Annotation::find(const std::string& name) const {
  const auto found = std::find_if(texts_.completions.begin(), texts_.completions.end(),
                                  [&](const auto& each) { return plain(each.first) == plain(name); });
  return found == texts_.completions.end() ? -1 : static_cast<int>(found - texts_.completions.begin());
}

bool Annotation::is_empty(int completion) const {
  return texts_.completions[static_cast<size_t>(completion)].second == "";
}

int Annotation::target_of(std::string& question, const std::string& target) const {
  const int named = find(target);
  if (named >= 0 || (!target.empty() && plain(target) == texts_.prompt_name)) return named;
  if (texts_.completions.size() == 1) return 0;
  for (size_t i = 0; i < texts_.completions.size(); ++i) {
    const std::string dimension = dimension_of(question, texts_.completions[i].first);
    if (dimension.empty()) continue;
    question = dimension;
    return static_cast<int>(i);
  }
  return -1;
}

void Annotation::add_comparison(const std::vector<std::pair<int, int64_t>>& ranks) {
  if (ranks.size() < 2) return refuse("a comparison of fewer than two completions");
  if (std::any_of(ranks.begin(), ranks.end(), [&](const auto& each) { return is_empty(each.first); }))
    return refuse("a completion without text");
  Json row = {{"prompt", texts_.prompt}, {"completions", Json::array()}, {"ranks", Json::array()}};
  for (const auto& [completion, rank] : ranks) {
    row["completions"].push_back(texts_.completions[static_cast<size_t>(completion)].second);
    row["ranks"].push_back(rank);
  }
  rows_.push_back(std::move(row));
}

void Annotation::rank(const std::vector<std::pair<std::string, int64_t>>& ranks) {
  std::vector<std::pair<int, int64_t>> places;
  for (const auto& [name, rank] : ranks) {
    const int place = find(name);
    if (place < 0) record_.fail("expected a completion's name in a ranking, got " + quoted_start(name));
    if (std::any_of(places.begin(), places.end(), [&](const auto& other) { return other.first == place; }))
      record_.fail("expected each completion once in a ranking, got " + quoted_start(name) + " twice");
    places.emplace_back(place, rank);
  }
  std::sort(places.begin(), places.end());  // in the order in which the record has them
  add_comparison(places);
}

void Annotation::prefer(const std::string& name) {
  std::vector<std::pair<int, int64_t>> ranks;
  for (int i = 0; i < static_cast<int>(texts_.completions.size()); ++i)
    ranks.emplace_back(i, i == find(name) ? 1 : 2);
  add_comparison(ranks);
}

void Annotation::prefer_side(size_t side) {
  if (texts_.completions.size() != 2) return refuse("a pair among other than two completions");
  prefer(texts_.completions[side].first);
}

void Annotation::add_rating(int completion, const std::string& dimension, const Json& value, bool yes_or_no) {
  auto found = std::find_if(ratings_.begin(), ratings_.end(), [&](const Ratings& each) {
    return each.completion == completion && each.yes_or_no == yes_or_no;
  });
  if (found == ratings_.end())
    found = ratings_.insert(ratings_.end(), {.completion = completion, .yes_or_no = yes_or_no});
  found->values[dimension] = value;
}

void Annotation::rate(const std::string& question, const Json& number, const std::string& target) {
  std::string dimension = question;
  const int completion = target_of(dimension, target);
  if (completion < 0) return refuse("a rating of no known completion");
  if (is_empty(completion)) return refuse("a completion without text");
  record_.number_of(number, question);
  add_rating(completion, dimension, number, false);
}

bool Annotation::choose(const std::string& question, const std::string& choice, const std::string& target) {
  const std::string word = plain(choice);
  if (is_completion(choice)) {
    prefer(choice);
    return true;
  }
  if (word == "tie" && texts_.completions.size() == 2) {
    add_comparison({{0, 1}, {1, 1}});
    return true;
  }
  const bool yes = word == "yes" || word == "true", no = word == "no" || word == "false";
  if (!yes && !no) return false;
  std::string dimension = question;
  const int completion = target_of(dimension, target);
  if (completion < 0) {
    refuse("a yes or no to no known completion");
  } else if (is_empty(completion)) {
    refuse("a completion without text");
  } else if (plain(dimension) == "label" || plain(dimension) == "good" || plain(dimension) == "acceptable") {
    Json row = row_about(completion);
    row["label"] = yes;
    rows_.push_back(std::move(row));
  } else {
    add_rating(completion, dimension, yes ? 1 : 0, true);
  }
  return true;
}

void Annotation::demonstrate(const std::string& text) {
  if (text.empty()) return refuse("an empty text was written");
  const Json completion = is_conversation(texts_.prompt) ? as_messages("assistant", text) : Json(text);
  rows_.push_back({{"prompt", texts_.prompt}, {"completion", completion}});
}

void Annotation::comment(const std::string& text) {
  comment_ += (comment_.empty() ? "" : "\n") + text;
}

Json Annotation::row_about(int completion) const {
  const Json& text = texts_.completions[static_cast<size_t>(completion)].second;
  if (!texts_.prompt.is_null()) return {{"prompt", texts_.prompt}, {"completion", text}};
  return {{is_conversation(text) ? "messages" : "text", text}};
}

void Annotation::give(RowSink& rows) {
  for (const Ratings& ratings : ratings_) {
    Json row = row_about(ratings.completion);
    row["ratings"] = ratings.values;
    if (ratings.yes_or_no) row["scale"] = {0, 1};
    rows_.push_back(std::move(row));
  }
  if (rows_.empty() && refused_.empty())
    refuse(comment_.empty() ? "nothing was answered" : "a comment alone");
  for (const std::string& reason : refused_) rows.refuse(reason);
  for (Json& row : rows_) {
    for (const auto& [name, value] : origin_.items()) row[name] = value;
    if (!comment_.empty()) row["comment"] = comment_;
    if (!texts_.others.empty()) row["fields"] = texts_.others;
    read_keel(record_.within(std::move(row)), rows);
  }
}

}  // namespace keel
