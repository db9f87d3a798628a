#include "keel/simulation/shop.h"

#include <algorithm>
#include <set>

namespace keel::shop {
namespace {

using Table = std::vector<std::string_view>;

const std::vector<Problem> kProblems = {
    {"broken",
     Courtesy::apology,
     {"my {colour} {item} arrived broken", "the {colour} {item} came with a crack",
      "the {item} in {colour} was in pieces {when}", "my new {colour} {item} has a big dent",
      "the {colour} {item} fell apart {when}", "there is a hole in my {colour} {item}",
      "the handle of the {colour} {item} snapped {when}"},
     {"send a new {item}", "replace the {colour} {item}", "send a new one"}},
    {"late",
     Courtesy::apology,
     {"my {colour} {item} has not arrived", "i still wait for the {colour} {item} i bought {when}",
      "where is the {colour} {item} i bought {when}", "the {colour} {item} is very late",
      "the {colour} {item} was due {when}", "the driver never brought my {colour} {item}",
      "nobody has delivered the {colour} {item}"},
     {"trace the parcel", "call the driver", "trace the parcel with the {item}"}},
    {"wrong",
     Courtesy::apology,
     {"i wanted a {colour} {item} and got the wrong size", "you sent me the wrong kind of {colour} {item}",
      "this {colour} {item} is not the one i chose {when}", "the {colour} {item} is not like the picture",
      "i asked for a small {colour} {item} and got a large one",
      "the box said {colour} {item} but it was another"},
     {"swap the {item}", "swap it for the right one", "collect the wrong one"}},
    {"charged",
     Courtesy::apology,
     {"i paid twice for the {colour} {item}", "you charged me too much for the {colour} {item}",
      "the bill for the {colour} {item} is wrong", "my card was charged again {when} for the {colour} {item}",
      "the price of the {colour} {item} went up after i paid",
      "there are two payments for one {colour} {item}"},
     {"refund the extra money", "pay back the difference", "refund the money for the {item}"}},
    {"missing",
     Courtesy::apology,
     {"a part of my {colour} {item} is missing", "the {colour} {item} came without its screws",
      "there was no lid with the {colour} {item}", "the bag for the {colour} {item} was empty",
      "my {colour} {item} lacks its cover", "i cannot find the cable of the {colour} {item}"},
     {"post the missing part", "pack the missing part", "post the part for the {item}"}},
    {"faulty",
     Courtesy::apology,
     {"my {colour} {item} makes a loud noise", "the {colour} {item} stopped working {when}",
      "the {colour} {item} does not do its job", "my {colour} {item} smells of smoke",
      "the {colour} {item} gets far too hot", "since {when} the {colour} {item} shakes"},
     {"book a repair", "have it repaired", "repair the {colour} {item}"}},
    {"return",
     Courtesy::apology,
     {"i do not want the {colour} {item} any more", "the {colour} {item} does not fit in my home",
      "can i bring back the {colour} {item}", "the {colour} {item} is too heavy for me",
      "i want to return the {colour} {item} i bought {when}", "my wife does not like the {colour} {item}"},
     {"arrange the return", "send a return label", "collect the {item} from your home"}},
    {"cancel",
     Courtesy::thanks,
     {"i want to cancel the {colour} {item}", "please stop my order of a {colour} {item}",
      "i ordered a {colour} {item} {when} by mistake", "i no longer need the {colour} {item} i ordered",
      "do not ship the {colour} {item}", "i found a cheaper {colour} {item} in another shop"},
     {"cancel the order", "stop the order", "cancel the order of the {item}"}},
    {"address",
     Courtesy::thanks,
     {"i moved and the {colour} {item} is still to come", "my {colour} {item} should go to my office",
      "the street on the label of the {colour} {item} is old",
      "please bring the {colour} {item} to my neighbour",
      "i live in another town now and ordered a {colour} {item}",
      "i gave the wrong street for the {colour} {item} {when}"},
     {"change the address", "correct the address", "change the address for the {item}"}},
    {"help",
     Courtesy::thanks,
     {"how do i clean the {colour} {item}", "how do i open the {colour} {item}",
      "i do not understand how to use the {colour} {item}", "how should i store a {colour} {item}",
      "i read the paper and still cannot fold the {colour} {item}",
      "what must i do first with the {colour} {item}"},
     {"explain each step", "email the manual", "email the manual of the {item}"}},
    {"stock",
     Courtesy::thanks,
     {"do you have a {colour} {item} in the shop", "is the {colour} {item} sold out",
      "when will the {colour} {item} be back", "i could not find a {colour} {item} {when}",
      "i need three more of the {colour} {item}", "can i see a {colour} {item} before i buy"},
     {"check the stock room", "keep one for you", "keep a {colour} {item} aside"}},
    {"praise",
     Courtesy::thanks,
     {"i love the {colour} {item}", "the {colour} {item} works so well",
      "the {colour} {item} was a perfect gift {when}", "everyone here likes the {colour} {item}",
      "your {colour} {item} is the best i had", "the {colour} {item} made my day"},
     {"tell the whole team", "share your kind words", "tell the maker of the {item}"}},
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\'';
}

// Words of every table, placeholders taken out.
std::set<std::string> all_words() {
  std::set<std::string> words = {"customer", "clerk"};
  const auto add = [&](std::span<const std::string_view> table) {
    for (const auto text : table) {
      std::string plain(text);
      for (const char* name : {"{item}", "{colour}", "{when}", "{soon}", "{action}"}) {
        while (plain.find(name) != std::string::npos)
          plain.replace(plain.find(name), std::string(name).size(), " ");
      }
      for (auto& word : words_of(plain)) words.insert(std::move(word));
    }
  };
  for (const auto& problem : problems()) add(problem.complaints), add(problem.actions);
  for (const auto table :
       {items(), colours(), times_past(), times_coming(), openings(), closings(), apologies(), thanks(),
        farewells(), delays(), insults(), chatter(), grunts(), promises()}) {
    add(table);
  }
  return words;
}

std::string_view first_of(std::span<const std::string> words, std::span<const std::string_view> names) {
  for (const auto& word : words) {
    const auto found = std::find(names.begin(), names.end(), word);
    if (found != names.end()) return *found;
  }
  return {};
}

}  // namespace

std::span<const Problem> problems() {
  return kProblems;
}

std::span<const std::string_view> items() {
  static const Table table = {
      "kettle", "lamp",   "toaster", "chair",    "blanket", "teapot", "mirror",  "vase",   "clock",
      "basket", "pillow", "rug",     "curtain",  "bucket",  "ladder", "heater",  "radio",  "blender",
      "mug",    "bowl",   "candle",  "umbrella", "jacket",  "scarf",  "hat",     "tent",   "bicycle",
      "helmet", "drill",  "hammer",  "lantern",  "printer", "camera", "speaker", "guitar", "kite"};
  return table;
}

std::span<const std::string_view> colours() {
  static const Table table = {"red",  "blue",  "green", "yellow", "white",  "black",
                              "grey", "brown", "pink",  "purple", "silver", "golden"};
  return table;
}

std::span<const std::string_view> times_past() {
  static const Table table = {"today",      "yesterday", "last week",    "on monday",  "on friday",
                              "last month", "on sunday", "this morning", "last night", "two days ago"};
  return table;
}

std::span<const std::string_view> times_coming() {
  static const Table table = {"today",      "tomorrow",     "this week",   "at once",
                              "by tonight", "within a day", "by thursday", "within the hour"};
  return table;
}

std::span<const std::string_view> openings() {
  // Most customers name their thing twice: that is what teaches a small model to copy it.
  static const Table table = {"",
                              "hello, ",
                              "good morning, ",
                              "excuse me, ",
                              "it is about my {colour} {item}. ",
                              "hello, it is about the {colour} {item}. ",
                              "i have a question about my {colour} {item}. ",
                              "i write about the {colour} {item}. ",
                              "a word about my {colour} {item}. ",
                              "good evening, i bought a {colour} {item}. ",
                              "please read this about my {colour} {item}. "};
  return table;
}

std::span<const std::string_view> closings() {
  static const Table table = {"",
                              " please help.",
                              " what can you do?",
                              " i am not in a hurry.",
                              " i wrote to you before.",
                              " can you help me?",
                              " it was a gift.",
                              " many thanks."};
  return table;
}

std::span<const std::string_view> apologies() {
  static const Table table = {"I am sorry about the {item}.",
                              "I am sorry about the {colour} {item}.",
                              "We are sorry about your {colour} {item}.",
                              "Sorry for the trouble with the {item}.",
                              "I apologise for the {item}.",
                              "We apologise for the {colour} {item}.",
                              "I am so sorry.",
                              "Sorry about that.",
                              "Please accept our apology."};
  return table;
}

std::span<const std::string_view> thanks() {
  static const Table table = {"Thank you for your note about the {item}.",
                              "Thank you for your note about the {colour} {item}.",
                              "Thanks for telling us about the {colour} {item}.",
                              "Thank you for choosing our {item}.",
                              "Thanks for asking about the {item}.",
                              "We thank you for the message.",
                              "Thank you for writing.",
                              "Thanks for telling us."};
  return table;
}

std::span<const std::string_view> farewells() {
  static const Table table = {"Have a nice day.", "Write again if you need more help.", "Goodbye for now.",
                              "We hope to see you soon.", "Your {item} matters to us."};
  return table;
}

std::span<const std::string_view> delays() {
  static const Table table = {"We will look into it.",          "Somebody may write to you later.",
                              "Let me see what we can do.",     "I have read your message about the {item}.",
                              "I will think about the {item}.", "We take every message to heart.",
                              "Please wait for an answer."};
  return table;
}

std::span<const std::string_view> insults() {
  static const Table table = {"That is your own fault.",
                              "Stop whining about the {item}.",
                              "Only a fool buys the {colour} {item}.",
                              "Go away with your silly {item}.",
                              "I do not care about your {item}.",
                              "What a stupid question.",
                              "You people are so annoying.",
                              "Nobody cares about the {colour} {item}."};
  return table;
}

std::span<const std::string_view> chatter() {
  static const Table table = {"The weather is lovely here.",
                              "My cousin plays football on sunday.",
                              "I had soup for lunch.",
                              "The bus was full this morning.",
                              "There was a bird on the roof.",
                              "I once walked along the river.",
                              "Our new boss drinks a lot of tea.",
                              "Music makes the time go by.",
                              "I like long walks in the rain.",
                              "The film last night was long."};
  return table;
}

std::span<const std::string_view> grunts() {
  static const Table table = {"Noted.",           "Ok.", "Fine.", "Yes.", "No.", "Maybe.", "So what.",
                              "The {item}, yes.", "Hm."};
  return table;
}

std::span<const std::string_view> promises() {
  static const Table table = {"I will {action} {soon}.", "We will {action} {soon}.",
                              "I can {action} {soon}.",  "I will {action}.",
                              "We can {action}.",        "Let me {action} {soon}."};
  return table;
}

std::span<const std::string_view> apology_cues() {
  static const Table table = {"sorry", "apologise", "apology"};
  return table;
}

std::span<const std::string_view> thanks_cues() {
  static const Table table = {"thank", "thanks"};
  return table;
}

std::span<const std::string_view> rude_cues() {
  static const Table table = {"fault",    "whining", "fool",     "go away",      "silly",
                              "not care", "stupid",  "annoying", "nobody cares", "so what"};
  return table;
}

std::string fill(std::string text, std::string_view name, std::string_view value) {
  const std::string placeholder = "{" + std::string(name) + "}";
  for (size_t at = text.find(placeholder); at != std::string::npos;
       at = text.find(placeholder, at + value.size())) {
    text.replace(at, placeholder.size(), value);
  }
  return text;
}

std::string_view cue_of(std::string_view text) {
  std::string_view longest;
  while (!text.empty()) {
    const size_t open = text.find('{'), close = text.find('}');
    std::string_view piece = text.substr(0, open);
    while (piece.starts_with(' ')) piece.remove_prefix(1);
    while (piece.ends_with(' ')) piece.remove_suffix(1);
    if (piece.size() > longest.size()) longest = piece;
    text = open == std::string_view::npos ? std::string_view{} : text.substr(close + 1);
  }
  return longest;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (!is_letter(c)) {
      if (!words.back().empty()) words.emplace_back();
    } else {
      words.back() += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

bool has_phrase(std::span<const std::string> words, std::string_view phrase) {
  const auto wanted = words_of(phrase);
  return std::search(words.begin(), words.end(), wanted.begin(), wanted.end()) != words.end();
}

bool is_known_word(const std::string& word) {
  static const std::set<std::string> known = all_words();
  return known.contains(word);
}

Case read_case(std::string_view prompt) {
  const auto words = words_of(prompt);
  Case result{.item = first_of(words, items()), .colour = first_of(words, colours())};
  for (const auto& problem : problems()) {
    for (const auto complaint : problem.complaints) {
      if (has_phrase(words, cue_of(complaint))) result.problem = &problem;
    }
  }
  return result;
}

}  // namespace keel::shop
