// The commands that turn text into text, ids or numbers: sample, score, tokenize, corpus.
#include <iostream>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/base/interrupt.h"
#include "keel/base/log.h"
#include "keel/base/progress.h"
#include "keel/models/model_folder.h"
#include "keel/pipeline/stages.h"
#include "keel/simulation/corpus.h"
#include "keel/tensors/matrix_rate.h"
#include "keel/tokenizer/bpe_trainer.h"
#include "keel/trainers/inputs.h"
#include "keel/trainers/scorer_options.h"

namespace keel {
namespace {

struct SampleOptions : Options {
  std::string model, prompts, prompt, output;
  Compute compute;
  int64_t samples_per_prompt = 1, seed = 1, rows = 1024, limit = 0;
  std::vector<int64_t> stop_ids;
  bool ignore_eos = false;
  SamplingOptions sampling;

  void visit(OptionVisitor& v) override {
    v(&model, "model", "A language model's folder.", required_input());
    v(&prompts, "prompts", "Rows with prompts (text or ids).", input());
    v(&prompt, "prompt", "One prompt, instead of --prompts.");
    v(&limit, "limit", "Only the first prompts of the file; 0: all.", at_least(0));
    v(&samples_per_prompt, "samples_per_prompt", "Completions of each prompt.", {.lowest = 1, .letter = 'n'});
    v(&sampling.max_new_tokens, "max_new_tokens", "Longest completion.", at_least(1));
    v(&sampling.temperature, "temperature", "0 is greedy.", at_least(0));
    v(&sampling.top_k, "top_k", "Sample from the k likeliest tokens; 0: all.", at_least(0));
    v(&sampling.top_p, "top_p", "Sample from the likeliest tokens of this mass.", within(1e-6, 1));
    v(&sampling.min_p, "min_p", "Cut tokens below this share of the likeliest one.", within(0, 1));
    v(&sampling.repetition_penalty, "repetition_penalty", "Above 1: makes tokens of the context less likely.",
      at_least(1e-3));
    v(&ignore_eos, "ignore_eos", "Go on after the end of the text.");
    v(&sampling.stop_strings, "stop", "Texts that end a completion.");
    v(&stop_ids, "stop_ids", "Token ids that end one, beside the end-of-text ids.", at_least(0));
    v(&seed, "seed", "Names every draw.", at_least(0));
    v(&rows, "rows", "Completions that run at once.", at_least(1));
    compute.visit(v);
    v(&output, "output", "Where the rows go; default: standard output.", {.writes = true});
  }
  void check() const override {
    if (prompts.empty() == prompt.empty())
      throw UsageError("--prompts", "expected either --prompts or --prompt");
    compute.check();
  }
};

struct Prompts {
  std::vector<Passage> passages;
  std::vector<std::vector<int64_t>> ids;
};

Prompts open_prompts(const SampleOptions& o, const Model& model, const Tokenizer* tokenizer) {
  Prompts prompts;
  const auto add = [&](const Passage& passage, const std::string& where) {
    prompts.passages.push_back(passage);
    prompts.ids.push_back(encode_prompt(passage, tokenizer, model.config().vocabulary, where));
    check_room(std::ssize(prompts.ids.back()), model.config().max_positions, where);
  };
  if (!o.prompt.empty()) {
    add({.text = o.prompt}, "--prompt");
    return prompts;
  }
  const RowFile file = read_rows(o.prompts);
  for (const Row& row : file.rows) {
    if (o.limit > 0 && static_cast<int64_t>(prompts.ids.size()) == o.limit) break;
    add(row.has_prompt ? row.prompt : row.completions.front(), file.path + ":" + std::to_string(row.line));
  }
  if (prompts.ids.empty()) throw Error(o.prompts, "expected at least one prompt, got none");
  return prompts;
}

// What --stop-ids names, and every id that ends a text by the model's configs or its tokenizer.
std::vector<int64_t> stop_ids_of(const SampleOptions& o, const Model& model,
                                 const std::optional<Tokenizer>& tokenizer) {
  std::vector<int64_t> ids = o.stop_ids;
  if (o.ignore_eos) return ids;
  const std::vector<int64_t> named = end_ids(model);
  ids.insert(ids.end(), named.begin(), named.end());
  if (const auto end = end_id(model, tokenizer ? &*tokenizer : nullptr)) ids.push_back(*end);
  return ids;
}

std::vector<Request> make_requests(const SampleOptions& o, const Prompts& prompts, const Model& model,
                                   const std::optional<Tokenizer>& tokenizer) {
  std::vector<Request> requests;
  const std::vector<int64_t> stop_ids = stop_ids_of(o, model, tokenizer);  // reads a file: once
  for (size_t i = 0; i < prompts.ids.size(); ++i) {
    Request request;
    request.prompt = prompts.ids[i];
    request.samples = o.samples_per_prompt;
    request.options = o.sampling;
    request.options.stop_ids = stop_ids;
    request.seed = static_cast<uint64_t>(o.seed);
    request.prompt_index = static_cast<uint32_t>(i);
    if (tokenizer)
      request.decode = [&tokenizer, prompt = prompts.ids[i]](std::span<const int64_t> ids) {
        return tokenizer->decode_completion(prompt, ids);
      };
    requests.push_back(std::move(request));
  }
  return requests;
}

Json sample_row(const Passage& prompt, const std::vector<int64_t>& prompt_ids, const Completion& completion,
                const std::optional<Tokenizer>& tokenizer) {
  Json row = Json::object();
  if (tokenizer) {
    row["prompt"] = prompt.has_ids ? tokenizer->decode(prompt_ids) : prompt.text;
    row["completion"] = tokenizer->decode_completion(prompt_ids, completion.tokens);
  }
  if (prompt.has_ids) row["prompt_ids"] = prompt_ids;
  row["tokens"] = completion.tokens;
  row["logps"] = completion.logps;
  row["finish_reason"] = finish_name(completion.finish);
  return row;
}

// Rows to a file that appears whole, or to standard output.
void write_rows(const std::string& output, const std::vector<Json>& rows) {
  std::string text;
  for (const Json& row : rows) text += json_text(row) + "\n";
  if (output.empty())
    std::cout << text << std::flush;
  else
    write_file_atomically(output, text);
}

void run_sample(SampleOptions& o) {
  if (!o.output.empty()) check_writable_file(o.output);
  Model model = open_language_model(o.model, o.compute);
  model.precision =
      choose_precision(o.compute.precision, model.config().hidden, model.decoder.device(), Work::generation);
  const auto tokenizer = load_tokenizer(o.model);
  const Prompts prompts = open_prompts(o, model, tokenizer ? &*tokenizer : nullptr);
  const int64_t wanted = static_cast<int64_t>(prompts.ids.size()) * o.samples_per_prompt;
  std::optional<Progress> progress;  // from when the engine stands
  const auto completions =
      generate(model, make_requests(o, prompts, model, tokenizer), {.rows = o.rows},
               [&](int64_t finished, int64_t tokens) {
                 if (!progress) {
                   const double rate = matrix_rate(model.precision, model.decoder.device());  // not timed
                   progress.emplace("sample", "completion", wanted);
                   progress->compare_with(rate);
                 }
                 progress->count_tokens(tokens);
                 progress->update(finished);
                 throw_if_interrupted();
               });
  std::vector<Json> rows;
  for (size_t i = 0; i < completions.size(); ++i)
    for (const Completion& completion : completions[i])
      rows.push_back(sample_row(prompts.passages[i], prompts.ids[i], completion, tokenizer));
  write_rows(o.output, rows);
}

struct ScoreOptions : Options {
  ScorerOptions scorer;
  std::string data, output, end = "auto";
  Compute compute;
  double temperature = 1.0;
  int64_t batch_size = 64;

  void visit(OptionVisitor& v) override {
    scorer.visit(v, "model", "A language model, or a reward model, or each member of an ensemble.");
    v(&data, "data", "Rows to score.", required_input());
    v(&end, "end", "Whether texts get the end-of-text id before scoring; auto: for reward models.",
      one_of({"auto", "yes", "no"}));
    v(&temperature, "temperature", "Log-probabilities are of softmax(logits / temperature).", at_least(1e-3));
    v(&batch_size, "batch_size", "Rows computed at once.", at_least(1));
    compute.visit(v);
    v(&output, "output", "Where the rows go; default: standard output.", {.writes = true});
  }
  void check() const override { compute.check(); }
};

// By the names of a head's labels, where it has several; else by member.
Json parts_json(const Score& score, const std::vector<std::string>& labels) {
  if (labels.empty()) return score.parts;
  Json parts = Json::object();
  for (size_t i = 0; i < labels.size(); ++i) parts[labels[i]] = score.parts[i];
  return parts;
}

Json reward_row(RowKind kind, std::span<const Score> scores, const std::vector<std::string>& labels) {
  const bool pair = kind == RowKind::preference, parts = !scores.empty() && !scores[0].parts.empty();
  Json row = Json::object(), rewards = Json::array(), all_parts = Json::array();
  for (const Score& score : scores) {
    rewards.push_back(score.reward);
    all_parts.push_back(parts_json(score, labels));
  }
  if (pair) {
    row = {{"reward_chosen", rewards[0]}, {"reward_rejected", rewards[1]}};
    if (parts) row["parts_chosen"] = all_parts[0], row["parts_rejected"] = all_parts[1];
  } else {
    const bool one = scores.size() == 1;
    row[one ? "reward" : "rewards"] = one ? rewards[0] : rewards;
    if (parts) row["parts"] = one ? all_parts[0] : all_parts;
  }
  return row;
}

ExampleSet encode_to_score(const RowFile& file, const Model& model, const std::string& folder,
                           const std::string& end) {
  const auto tokenizer = load_tokenizer(folder);
  const Tokenizer* tokens = tokenizer ? &*tokenizer : nullptr;
  const bool append = end == "yes" || (end == "auto" && model.head.kind == HeadKind::scalar);
  EncodeOptions options{.max_length = usable_length(0, model)};
  if (append) options.end_id = end_id(model, tokens);
  ExampleSet set = encode_rows(file, tokens, model.config().vocabulary, options);
  if (set.truncated > 0) log_warning(std::to_string(set.truncated) + " rows were cut at the model's context");
  return set;
}

// Of every completion in order.
std::vector<Score> scores_by(const Model& model, const ExampleSet& set) {
  std::vector<const Example*> all;
  for (const Example& example : set.examples) all.push_back(&example);
  Progress progress("score", "row", std::ssize(all));
  return score_examples(model, all, [&](int64_t done) {
    progress.update(done);
    throw_if_interrupted();
  });
}

std::vector<Json> score_rewards(const RowFile& file, const ScoreOptions& o) {
  std::vector<std::vector<Score>> by_completion;
  std::vector<std::string> labels;
  const std::vector<std::string> folders = o.scorer.folders();
  for (const std::string& folder : folders) {
    const Model model = open_reward_model(folder, o.compute, o.scorer.head_weights);
    const std::vector<Score> scores = scores_by(model, encode_to_score(file, model, folder, o.end));
    by_completion.resize(scores.size());
    for (size_t i = 0; i < scores.size(); ++i) by_completion[i].push_back(scores[i]);
    if (folders.size() == 1 && !model.head.mix.empty()) labels = model.head.labels;
  }
  std::vector<Score> scores;
  for (const auto& members : by_completion) scores.push_back(combined_score(members, o.scorer.rule()));
  std::vector<Json> rows;
  size_t first = 0;
  for (const Row& row : file.rows) {
    const size_t count = row.completions.size();
    rows.push_back(reward_row(row.kind, std::span(scores).subspan(first, count), labels));
    first += count;
  }
  return rows;
}

std::vector<Json> score_language(const Model& model, const RowFile& file, const ScoreOptions& o) {
  for (const Row& row : file.rows)
    if (row.kind != RowKind::text && row.kind != RowKind::completion && row.kind != RowKind::label &&
        row.kind != RowKind::rating)
      throw Error(file.path + ":" + std::to_string(row.line),
                  std::string("expected a text or a completion to score, got a ") + row_kind_name(row.kind));
  const ExampleSet set = encode_to_score(file, model, o.scorer.models.front(), o.end);
  std::vector<Json> rows;
  Progress progress("score", "row", std::ssize(set.examples));
  for_each_logps(model, set, o.batch_size, o.temperature, [&](const Tensor& tokens, const Tensor& logps) {
    const int64_t* token = tokens.const_data_ptr<int64_t>();
    const double* logp = logps.const_data_ptr<double>();
    rows.push_back({{"tokens", std::vector<int64_t>(token, token + tokens.numel())},
                    {"logps", std::vector<double>(logp, logp + logps.numel())}});
    progress.update(std::ssize(rows));
  });
  return rows;
}

void run_score(ScoreOptions& o) {
  if (!o.output.empty()) check_writable_file(o.output);
  const std::vector<std::string> folders = o.scorer.folders();
  const RowFile file = read_rows(o.data);
  if (folders.size() == 1) {
    const Model model = open_model(folders.front(), o.compute);
    if (model.head.kind == HeadKind::language) return write_rows(o.output, score_language(model, file, o));
  }
  write_rows(o.output, score_rewards(file, o));
}

struct TokenizeOptions : Options {
  std::string model, file, output, pattern = "gpt2";
  std::vector<std::string> data;
  bool decode = false, special_tokens = true, train = false;
  int64_t vocabulary_size = 1024;
  std::string bos = "<|begin|>", eos = "<|end|>", pad = "<|pad|>";

  void visit(OptionVisitor& v) override {
    v(&model, "model", "A folder with a tokenizer.", input());
    v(&file, "file", "A text file: one text a line; with --decode one JSON list of ids a line.", input());
    v(&decode, "decode", "Ids to text.");
    v(&special_tokens, "special_tokens", "Add the special tokens around each text.");
    v(&train, "train", "Train a byte-level BPE tokenizer on --file or --data and write it to --output.");
    v(&data, "data", "With --train: files of rows to train on.", input());
    v(&vocabulary_size, "vocabulary_size", "With --train: tokens in all.", at_least(257));
    v(&pattern, "pattern", "With --train: how words are cut.", one_of({"gpt2", "llama3"}));
    v(&bos, "bos", "With --train: the token before every text; empty: none.");
    v(&eos, "eos", "With --train: the token that ends a text.");
    v(&pad, "pad", "With --train: the padding token that other programs want.");
    v(&output, "output", "Where the lines, or the new tokenizer's folder, go.", {.writes = true});
  }
  void check() const override {
    if (train && (output.empty() || (file.empty() && data.empty())))
      throw UsageError("--train", "expected --output and texts from --file or --data");
    if (!train && (model.empty() || file.empty())) throw UsageError("--model", "expected --model and --file");
  }
};

void train_tokenizer(const TokenizeOptions& o) {
  std::vector<std::string> texts;
  if (!o.file.empty())
    for_each_line(o.file, [&](std::string_view line, int64_t) { texts.emplace_back(line); });
  for (const std::string& path : o.data)
    for (const Row& row : read_rows(path).rows)
      for (const Passage& completion : row.completions) texts.push_back(row.prompt.text + completion.text);
  BpeTrainerOptions options;
  options.vocabulary_size = o.vocabulary_size;
  options.bos = o.bos;
  options.eos = o.eos;
  options.pad = o.pad;
  options.pattern = o.pattern;
  train_byte_level_bpe(texts, options, o.output);
  log_info("tokenizer of " + std::to_string(Tokenizer::load(o.output).size()) + " tokens in " + o.output);
}

std::vector<int64_t> parse_ids(std::string_view line, const std::string& where) {
  const Json ids = parse_json(line, where);
  std::vector<int64_t> result;
  for (const Json& id : ids) {
    if (!ids.is_array() || !id.is_number_integer())
      throw Error(where, "expected a list of token ids, got " + json_text(ids).substr(0, 60));
    result.push_back(id.get<int64_t>());
  }
  return result;
}

void run_tokenize(TokenizeOptions& o) {
  if (o.train) return train_tokenizer(o);
  const Tokenizer tokenizer = Tokenizer::load(o.model);
  std::string text;
  for_each_line(o.file, [&](std::string_view line, int64_t number) {
    const std::string where = o.file + ":" + std::to_string(number);
    text += o.decode ? tokenizer.decode(parse_ids(line, where))
                     : Json(tokenizer.encode(line, o.special_tokens)).dump();
    text += "\n";
  });
  if (o.output.empty())
    std::cout << text << std::flush;
  else
    write_file_atomically(o.output, text);
}

struct CorpusOptions : Options {
  std::string kind = "documents", output;
  int64_t count = 1000, seed = 1;

  void visit(OptionVisitor& v) override {
    v(&kind, "kind", "What to write.",
      one_of({"documents", "demonstrations", "prompts", "held_out_prompts"}));
    v(&count, "count", "How many rows.", at_least(1));
    v(&seed, "seed", "Names every draw.", at_least(0));
    v(&output, "output", "The file of rows.", required_output());
  }
};

void run_corpus(CorpusOptions& o) {
  const auto seed = static_cast<uint64_t>(o.seed);
  std::vector<Json> rows;
  if (o.kind == "documents") {
    for (const std::string& text : generate_corpus(seed, o.count)) rows.push_back({{"text", text}});
  } else if (o.kind == "demonstrations") {
    for (const Demonstration& d : generate_demonstrations(seed, o.count))
      rows.push_back({{"prompt", d.prompt}, {"completion", d.completion}});
  } else {
    const Split split = o.kind == "prompts" ? Split::train : Split::held_out;
    for (const std::string& prompt : generate_prompts(seed, o.count, split))
      rows.push_back({{"prompt", prompt}});
  }
  write_rows(o.output, rows);
}

}  // namespace

std::vector<Stage> text_stages() {
  return {
      make_stage("sample", "Sample completions of prompts from a language model.",
                 "Writes rows `{prompt, completion, tokens, logps, finish_reason}`, prompt by prompt, `-n` "
                 "each. The order is repetition penalty, temperature, top-k, top-p, min-p. `logps` are of "
                 "softmax(logits / temperature), uncut; at temperature 0 of softmax(logits).\n\n    keel "
                 "sample --model runs/sft/final --prompts prompts.jsonl -n 4 --output samples.jsonl",
                 &run_sample),
      make_stage(
          "score", "Log-probabilities by a language model, or rewards by a reward model.",
          "By a language model: `{tokens, logps}` of each completion, or of a whole text after its first "
          "token. By a reward model: `{reward}`, for pairs `{reward_chosen, reward_rejected}`, for rankings "
          "`{rewards}`. By an ensemble, or a head with several labels, `parts` beside each reward hold those "
          "of "
          "the members, or of the labels by name.\n\n    keel score --model runs/reward/final --data "
          "pairs.jsonl --output scores.jsonl",
          &run_score),
      make_stage("tokenize", "Text to token ids and back, or train a tokenizer.",
                 "One JSON list of ids for each line of the file; `--decode` is the reverse. With `--train` "
                 "it learns a byte-level BPE.\n\n    keel tokenize --model MODEL --file texts.txt\n    keel "
                 "tokenize --train --data documents.jsonl --vocabulary-size 1024 --output tokenizer",
                 &run_tokenize),
      make_stage(
          "corpus", "Generate the demo's small world: a shop's help desk.",
          "Everything is generated from a grammar written for Keel, by seed. Held-out prompts never meet the "
          "others.\n\n    keel corpus --kind documents --count 20000 --output documents.jsonl",
          &run_corpus),
  };
}

}  // namespace keel
