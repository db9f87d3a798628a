// The demo's small world: a shop's help desk. Its words are written here once; the corpus is generated from
// them and the gold judge reads cases and answers by them. Templates hold {item}, {colour}, {when} and
// {soon}.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace keel::shop {

enum class Courtesy { apology, thanks };

/// A sort of request: how customers put it, what courtesy it asks for, and what settles it.
struct Problem {
  std::string_view name;
  Courtesy courtesy;
  /// Sentences without their final mark. The longest literal piece of each is its cue: no other problem has
  /// it.
  std::vector<std::string_view> complaints;
  /// What a clerk can do about it, as verb phrases: "send a new {item}".
  std::vector<std::string_view> actions;
};

std::span<const Problem> problems();
std::span<const std::string_view> items();
std::span<const std::string_view> colours();
std::span<const std::string_view> times_past();    // {when}: "last week"
std::span<const std::string_view> times_coming();  // {soon}: "tomorrow"
std::span<const std::string_view> openings();      // before a complaint; the first is empty
std::span<const std::string_view> closings();      // after a complaint, whole sentences; the first is empty

/// What clerks say beside actions; whole sentences.
std::span<const std::string_view> apologies();
std::span<const std::string_view> thanks();
std::span<const std::string_view> farewells();
std::span<const std::string_view> delays();  // promise nothing
std::span<const std::string_view> insults();
std::span<const std::string_view> chatter();  // off the topic
std::span<const std::string_view> grunts();   // curt replies
/// Frames of an action: "I will {action} {soon}." and such.
std::span<const std::string_view> promises();

/// Words and phrases by which the judge knows an apology, thanks, rudeness.
std::span<const std::string_view> apology_cues();
std::span<const std::string_view> thanks_cues();
std::span<const std::string_view> rude_cues();

/// Replaces "{name}" by `value` everywhere.
std::string fill(std::string text, std::string_view name, std::string_view value);

/// A template's longest literal piece, without placeholders and without spaces at its ends.
std::string_view cue_of(std::string_view text);

/// The lower-case words of a text: letters and apostrophes; everything else parts them.
std::vector<std::string> words_of(std::string_view text);

/// Whether `phrase` (lower-case words with single spaces) occurs in the words, at word boundaries.
bool has_phrase(std::span<const std::string> words, std::string_view phrase);

/// Whether the word occurs anywhere in the shop's tables.
bool is_known_word(const std::string& word);

/// What a prompt says. A prompt from outside the grammar may lack any part.
struct Case {
  const Problem* problem = nullptr;
  std::string_view item, colour;
};
Case read_case(std::string_view prompt);

}  // namespace keel::shop
