#include "keel/data/batches.h"

namespace keel {

int64_t scored_tokens(const Example& example, bool completion_only) {
  const auto prompt = static_cast<int64_t>(example.prompt.size());
  const auto all = prompt + static_cast<int64_t>(example.completions.front().size());
  return completion_only && prompt > 0 ? all - prompt : all - 1;
}

LanguageBatch language_batch(std::span<const Example* const> examples, bool completion_only) {
  ForestBuilder builder;
  std::vector<int64_t> from, tokens, documents;
  for (const Example* example : examples) {
    std::vector<int64_t> ids = example->prompt;
    ids.insert(ids.end(), example->completions.front().begin(), example->completions.front().end());
    const int64_t begin = builder.size(), size = static_cast<int64_t>(ids.size());
    builder.add(ids);
    for (int64_t i = size - scored_tokens(*example, completion_only); i < size; ++i) {
      from.push_back(begin + i - 1);
      tokens.push_back(ids[static_cast<size_t>(i)]);
    }
    documents.insert(documents.end(), ids.size(), example->document);
  }
  return {builder.build(), at::tensor(from, at::kLong), at::tensor(tokens, at::kLong), std::move(documents)};
}

namespace {

// Tokens of `ids` behind their last one that is not `pad`.
int64_t trailing(const std::vector<int64_t>& ids, std::optional<int64_t> pad) {
  int64_t count = 0;
  while (pad && count < std::ssize(ids) && ids[ids.size() - 1 - static_cast<size_t>(count)] == *pad) ++count;
  return count;
}

// The row at which a completion below a prompt (-1: none) is read.
int64_t judged_row(const ForestBuilder& builder, const Example& example, int32_t root, size_t index,
                   int32_t segment, std::optional<int64_t> pad) {
  const std::vector<int64_t>& completion = example.completions[index];
  const int64_t behind = trailing(completion, pad), last = builder.last_row(segment);
  if (behind < std::ssize(completion)) return last - behind;
  if (root < 0) return last - behind + 1;
  return builder.last_row(root) - std::min(trailing(example.prompt, pad), std::ssize(example.prompt) - 1);
}

}  // namespace

JudgedBatch judged_batch(std::span<const Example* const> examples, std::optional<int64_t> pad) {
  ForestBuilder builder;
  JudgedBatch batch;
  std::vector<int64_t> last_rows;
  batch.first = {0};
  for (const Example* example : examples) {
    const int32_t root = example->prompt.empty() ? -1 : builder.add(example->prompt);
    for (size_t i = 0; i < example->completions.size(); ++i) {
      const int32_t segment = builder.add(example->completions[i], root);
      last_rows.push_back(judged_row(builder, *example, root, i, segment, pad));
      const int64_t first = builder.last_row(segment) - std::ssize(example->completions[i]) + 1;
      batch.first_row.push_back(std::min(first, last_rows.back()));
    }
    batch.documents.resize(static_cast<size_t>(builder.size()), example->document);
    batch.first.push_back(static_cast<int64_t>(last_rows.size()));
  }
  batch.forest = builder.build();
  batch.last_rows = at::tensor(last_rows, at::kLong);
  return batch;
}

TokenRows token_rows(const JudgedBatch& judged) {
  std::vector<int64_t> rows, completions;
  std::vector<double> weights;
  const int64_t* last_rows = judged.last_rows.const_data_ptr<int64_t>();
  for (size_t i = 0; i < judged.first_row.size(); ++i) {
    const int64_t first = judged.first_row[i], count = last_rows[i] - first + 1;
    for (int64_t t = 0; t < count; ++t) {
      rows.push_back(first + t);
      completions.push_back(static_cast<int64_t>(i));
      weights.push_back(2.0 * static_cast<double>(t + 1) / static_cast<double>(count * (count + 1)));
    }
  }
  return {at::tensor(rows, at::kLong), at::tensor(completions, at::kLong), at::tensor(weights, at::kDouble)};
}

CompletionBatch completion_batch(std::span<const Example* const> examples) {
  CompletionBatch batch{judged_batch(examples), {}, {}, {}};
  std::vector<int64_t> from, tokens, completions;
  const std::vector<Segment>& segments = batch.forest.segments;
  size_t segment = 0;
  int64_t index = 0;
  for (const Example* example : examples) {
    const bool below = !example->prompt.empty();
    const int64_t prompt_end = below ? segments[segment++].end : 0;
    for (const std::vector<int64_t>& ids : example->completions) {
      const int64_t begin = segments[segment++].begin;
      for (size_t t = below ? 0 : 1; t < ids.size(); ++t) {
        from.push_back(t == 0 ? prompt_end - 1 : begin + static_cast<int64_t>(t) - 1);
        tokens.push_back(ids[t]);
        completions.push_back(index);
      }
      ++index;
    }
  }
  batch.from = at::tensor(from, at::kLong);
  batch.tokens = at::tensor(tokens, at::kLong);
  batch.completion = at::tensor(completions, at::kLong);
  return batch;
}

RankedPairs ranked_pairs(std::span<const int64_t> ranks, Ties ties) {
  RankedPairs pairs;
  const auto add = [&](size_t better, size_t worse, float share) {
    pairs.better.push_back(static_cast<int64_t>(better));
    pairs.worse.push_back(static_cast<int64_t>(worse));
    pairs.share.push_back(share);
  };
  for (size_t i = 0; i < ranks.size(); ++i)
    for (size_t j = 0; j < ranks.size(); ++j) {
      const bool strict = ranks[i] < ranks[j], tied = i != j && ranks[i] == ranks[j] && ties == Ties::half;
      if (strict || tied) add(i, j, strict ? 1.0F : 0.5F);
      pairs.count += strict || (tied && i < j) ? 1 : 0;
    }
  return pairs;
}

ComparisonBatch comparison_batch(std::span<const Example* const> examples, const JudgedBatch& judged,
                                 double whole, const PairRules& rules) {
  std::vector<int64_t> better, worse;
  std::vector<float> weight;
  std::vector<double> margin;
  std::vector<uint8_t> strict;
  for (size_t i = 0; i < examples.size(); ++i) {
    const RankedPairs pairs = ranked_pairs(examples[i]->ranks, rules.ties);
    const Judgement& judgement = examples[i]->judgement;
    for (size_t p = 0; p < pairs.better.size(); ++p) {
      better.push_back(judged.first[i] + pairs.better[p]);
      worse.push_back(judged.first[i] + pairs.worse[p]);
      weight.push_back(pairs.share[p] * static_cast<float>(judgement.weight) /
                       static_cast<float>(pairs.count) / static_cast<float>(whole));
      strict.push_back(pairs.share[p] == 1.0F);
      if (rules.margin_scale != 0)
        margin.push_back(rules.margin_scale * (judgement.scores.at(static_cast<size_t>(pairs.better[p])) -
                                               judgement.scores.at(static_cast<size_t>(pairs.worse[p]))));
    }
  }
  return {at::tensor(better, at::kLong), at::tensor(worse, at::kLong), at::tensor(weight, at::kFloat),
          rules.margin_scale != 0 ? at::tensor(margin, at::kDouble) : Tensor(),
          at::tensor(strict, at::kByte).to(at::kBool)};
}

double pair_weight(std::span<const Example* const> examples, Ties ties) {
  double sum = 0;
  for (const Example* example : examples) sum += has_pair(*example, ties) ? example->judgement.weight : 0;
  return sum;
}

bool has_pair(const Example& example, Ties ties) {
  return ranked_pairs(example.ranks, ties).count > 0;
}

}  // namespace keel
