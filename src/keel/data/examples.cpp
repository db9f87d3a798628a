#include "keel/data/examples.h"

#include <algorithm>

#include "keel/base/error.h"
#include "keel/base/random.h"
#include "keel/tokenizer/tokenizer.h"

namespace keel {
namespace {

std::string place(const RowFile& file, const Row& row) {
  return file.path + ":" + std::to_string(row.line);
}

const Tokenizer& need(const Tokenizer* tokenizer, const std::string& where) {
  if (tokenizer == nullptr)
    throw Error(where, "expected token ids, got a text: the model folder has no tokenizer to encode it with");
  return *tokenizer;
}

void check_ids(const std::vector<int64_t>& ids, int64_t vocabulary, const std::string& where) {
  for (const int64_t id : ids)
    if (id < 0 || id >= vocabulary)
      throw Error(where, "expected ids below the vocabulary of " + std::to_string(vocabulary) + ", got " +
                             std::to_string(id));
}

// A completion's ids; a text's own when the row has no prompt.
std::vector<int64_t> completion_ids(const Passage& passage, bool has_prompt, const Tokenizer* tokenizer,
                                    const EncodeOptions& options, const std::string& where) {
  if (passage.has_ids) return passage.ids;
  const Tokenizer& t = need(tokenizer, where);
  std::vector<int64_t> ids = has_prompt ? t.encode_completion(passage.text) : t.encode(passage.text);
  if (options.end_id) ids.push_back(*options.end_id);
  return ids;
}

// Whether the ids that were drawn for a row's completion are this tokenizer's.
bool decode_to_text(const Tokenizer& tokenizer, const Row& row, const std::vector<int64_t>& prompt) {
  const auto known = [&](int64_t id) { return id < tokenizer.size(); };
  return std::all_of(row.sampled->begin(), row.sampled->end(), known) &&
         tokenizer.decode_completion(prompt, *row.sampled) == row.completions.front().text;
}

Example encode_row(const RowFile& file, const Row& row, const Tokenizer* tokenizer, int64_t vocabulary,
                   const EncodeOptions& options) {
  const std::string where = place(file, row);
  Example example{.line = row.line};
  if (row.has_prompt) example.prompt = encode_prompt(row.prompt, tokenizer, vocabulary, where);
  if (options.prompts_only && !row.has_prompt) throw Error(where, "expected a prompt to continue, got none");
  if (options.prompts_only) return example;
  for (const Passage& passage : row.completions) {
    example.completions.push_back(completion_ids(passage, row.has_prompt, tokenizer, options, where));
    check_ids(example.completions.back(), vocabulary, where);
    if (example.completions.back().empty())
      throw Error(where, "expected a completion of at least one token, got none");
  }
  if (row.sampled && !row.completions.front().has_ids && decode_to_text(*tokenizer, row, example.prompt)) {
    check_ids(*row.sampled, vocabulary, where);
    example.completions.front() = *row.sampled;
  }
  example.ranks = row.ranks;
  example.label = row.label;
  if (!options.judgements) return example;
  example.judgement = judgement_of(row, where);
  const bool judged = !row.ranks.empty() || row.label.has_value() || !example.judgement.values.empty();
  if (!judged)
    throw Error(where, "expected a `score` or `ratings` beside a completion to learn from, got none");
  return example;
}

// Cuts a document into windows of max_length tokens.
std::vector<Example> split_document(const Example& example, int64_t max_length) {
  std::vector<Example> parts;
  const auto& ids = example.completions.front();
  for (size_t begin = 0; begin < ids.size(); begin += static_cast<size_t>(max_length)) {
    Example part;
    const size_t end = std::min(begin + static_cast<size_t>(max_length), ids.size());
    part.completions = {
        {ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.begin() + static_cast<std::ptrdiff_t>(end)}};
    if (end - begin > 1) parts.push_back(std::move(part));  // one token predicts nothing
  }
  return parts;
}

void add_fitting(ExampleSet& set, Example example, const EncodeOptions& options, const std::string& where) {
  if (example.judgement.weight == 0) {
    ++set.weightless;
    return;
  }
  const int64_t room_behind = options.prompts_only ? 1 : 0;
  if (options.max_length <= 0 || example.longest() + room_behind <= options.max_length) {
    set.examples.push_back(std::move(example));
    return;
  }
  if (options.too_long == TooLong::drop) {
    ++set.dropped;
    return;
  }
  ++set.truncated;
  if (options.too_long == TooLong::split && example.prompt.empty()) {
    for (Example& part : split_document(example, options.max_length)) set.examples.push_back(std::move(part));
    return;
  }
  check_room(std::ssize(example.prompt), options.max_length, where);
  const size_t room = static_cast<size_t>(options.max_length) - example.prompt.size();
  for (auto& completion : example.completions) completion.resize(std::min(completion.size(), room));
  set.examples.push_back(std::move(example));
}

}  // namespace

int64_t Example::longest() const {
  size_t longest = 0;
  for (const auto& completion : completions) longest = std::max(longest, completion.size());
  return static_cast<int64_t>(prompt.size() + longest);
}

int64_t Example::tokens() const {
  size_t tokens = prompt.size();
  for (const auto& completion : completions) tokens += completion.size();
  return static_cast<int64_t>(tokens);
}

std::vector<int64_t> ExampleSet::row_tokens() const {
  std::vector<int64_t> tokens;
  for (const Example& example : examples) tokens.push_back(example.tokens());
  return tokens;
}

std::vector<int64_t> encode_prompt(const Passage& prompt, const Tokenizer* tokenizer, int64_t vocabulary,
                                   const std::string& where) {
  std::vector<int64_t> ids = prompt.has_ids ? prompt.ids : need(tokenizer, where).encode(prompt.text);
  if (ids.empty()) throw Error(where, "expected a prompt of at least one token, got an empty one");
  check_ids(ids, vocabulary, where);
  return ids;
}

void check_room(int64_t size, int64_t context, const std::string& where) {
  if (size >= context)
    throw Error(where, "expected a prompt shorter than the context of " + std::to_string(context) +
                           " tokens, got one of " + std::to_string(size));
}

ExampleSet encode_rows(const RowFile& file, const Tokenizer* tokenizer, int64_t vocabulary,
                       const EncodeOptions& options) {
  ExampleSet set;
  for (const Row& row : file.rows)
    add_fitting(set, encode_row(file, row, tokenizer, vocabulary, options), options, place(file, row));
  for (size_t i = 0; i < set.examples.size(); ++i) set.examples[i].document = static_cast<int64_t>(i);
  return set;
}

DataOrder::DataOrder(int64_t size, int64_t batch_size, uint64_t seed, bool shuffle, int64_t limit)
    : size_(size), bounds_{batch_size, 0}, seed_(seed), shuffle_(shuffle), limit_(limit) {}

DataOrder::DataOrder(std::vector<int64_t> row_tokens, BatchBounds bounds, uint64_t seed, bool shuffle,
                     int64_t limit)
    : size_(std::ssize(row_tokens)),
      row_tokens_(std::move(row_tokens)),
      bounds_{bounds.rows > 0 ? bounds.rows : size_, bounds.tokens},
      seed_(seed),
      shuffle_(shuffle),
      limit_(limit) {}

int64_t DataOrder::row_at(int64_t position) const {
  if (!shuffle_) return position % size_;
  return KeyedPermutation(seed_, static_cast<uint32_t>(position / size_), size_)(position % size_);
}

int64_t DataOrder::first_position(int64_t step) const {
  if (bounds_.tokens == 0) return step * bounds_.rows;
  if (step < next_.step) next_ = {};
  while (next_.step < step) batch(next_.step);
  return next_.position;
}

std::vector<int64_t> DataOrder::batch(int64_t step) const {
  std::vector<int64_t> rows;
  int64_t position = first_position(step), tokens = 0;
  for (; std::ssize(rows) < bounds_.rows && (limit_ == 0 || position < limit_); ++position) {
    const int64_t row = row_at(position);
    if (bounds_.tokens > 0) tokens += row_tokens_[static_cast<size_t>(row)];
    if (tokens > bounds_.tokens && !rows.empty()) break;
    rows.push_back(row);
  }
  next_ = {step + 1, position};
  return rows;
}

int64_t DataOrder::steps() const {
  if (bounds_.tokens == 0) return (limit_ + bounds_.rows - 1) / bounds_.rows;
  int64_t steps = 0;
  while (!batch(steps).empty()) ++steps;
  return steps;
}

}  // namespace keel
