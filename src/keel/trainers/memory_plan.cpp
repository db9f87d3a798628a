#include "keel/trainers/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "keel/base/error.h"
#include "keel/base/memory.h"

namespace keel {
namespace {

constexpr int64_t kFloat = 4;
const int64_t kChunkElements = LogProbOptions().chunk_elements;

int64_t element(const Model& model) {
  return model.precision == Precision::bfloat16 ? 2 : kFloat;
}

struct Widths {
  int64_t hidden, qkv, queries, up, inner;

  explicit Widths(const DecoderConfig& c)
      : hidden(c.hidden),
        qkv((c.heads + 2 * c.kv_heads) * c.head_size),
        queries(c.heads * c.head_size),
        up(c.mlp * (c.gated_mlp ? 2 : 1)),
        inner(c.mlp) {}
};

// Of one token: what a block keeps for its way back (fused_block's Saved), and what that way back holds
// beside it.
int64_t kept(const Model& model) {
  const Widths w(model.config());
  return 2 * kFloat * w.hidden + element(model) * (2 * w.hidden + w.qkv + w.queries + w.up + w.inner);
}
// The share of it that lies behind the attention.
int64_t kept_behind(const Model& model) {
  const Widths w(model.config());
  return kFloat * w.hidden + element(model) * (w.hidden + w.up + w.inner);
}
int64_t on_the_way_back(const Model& model) {
  const Widths w(model.config());
  return 2 * kFloat * w.hidden + element(model) * (2 * w.hidden + w.queries + w.up + w.inner);
}

// A block's largest weight, packed for a product.
int64_t panels_bytes(const Model& model) {
  const Widths w(model.config());
  return element(model) * w.hidden * std::max({w.qkv, w.queries, w.up, w.inner});
}

// Hidden rows with their gradient; the head packed for both directions; one chunk of logits.
int64_t head_bytes(const Model& model, int64_t scored) {
  const int64_t width = model.config().hidden, vocabulary = model.head.weight.size(0);
  return scored * width * (element(model) + 3 * kFloat) + 2 * element(model) * vocabulary * width +
         std::min(kChunkElements, scored * vocabulary) * element(model);
}

}  // namespace

int64_t largest_micro_batch(const std::vector<int64_t>& row_tokens, const MicroBatchLimits& limits) {
  if (row_tokens.empty()) return 0;
  const int64_t all = std::accumulate(row_tokens.begin(), row_tokens.end(), int64_t{0});
  const auto pieces_for = [](int64_t count, int64_t limit) {
    return limit > 0 ? (count + limit - 1) / limit : int64_t{1};
  };
  const int64_t pieces =
      std::max(pieces_for(std::ssize(row_tokens), limits.rows), pieces_for(all, limits.tokens));
  return std::max((all + pieces - 1) / pieces, *std::max_element(row_tokens.begin(), row_tokens.end()));
}

int64_t pass_bytes(const Model& model, PassSize size) {
  const int64_t layers = model.config().layers, all = size.tokens * kept(model),
                unread = (size.tokens - size.read) * kept_behind(model);
  const int64_t inputs = size.tokens * kFloat * model.config().hidden;  // of a block, part of what it keeps
  const int64_t blocks = model.recompute ? (layers - 1) * inputs + all : layers * all - unread;
  const bool language = model.head.kind == HeadKind::language;
  return blocks + panels_bytes(model) + size.tokens * on_the_way_back(model) +
         (language ? head_bytes(model, size.read) : 0);
}

int64_t micro_batch_tokens_beside(const Model& model) {
  const int64_t state = 4 * kFloat * model.parameter_count(),
                room = std::max<int64_t>(state / 4, 192'000'000);
  return std::max<int64_t>(1, room / (model.config().layers * kept(model)));
}

int64_t gradient_bytes(const Model& model) {
  return model.parameter_count() * kFloat;
}

int64_t scoring_bytes(const Model& model, int64_t tokens) {
  return tokens * (kept(model) + kFloat * model.config().hidden) + element(model) * model.parameter_count();
}

int64_t sampler_bytes(const Model& model, int64_t positions) {
  const DecoderConfig& c = model.config();
  return element(model) * (model.parameter_count() + 2 * c.layers * c.kv_heads * c.head_size * positions);
}

int64_t plan_memory(int64_t more) {
  constexpr int64_t kLibraries = 60'000'000;  // compiled products, threads, the heap's slack: measured
  const int64_t wanted = more + kLibraries, left = available_bytes();
  if (wanted > left)
    throw Error("memory",
                "expected " + memory_text(wanted) + " for this run, got " + memory_text(left) +
                    " free: use a smaller --micro-batch-size or --micro-batch-tokens, --recompute, or "
                    "--moments bfloat16");
  return std::max(peak_resident_bytes(), resident_bytes() + wanted);
}

}  // namespace keel
