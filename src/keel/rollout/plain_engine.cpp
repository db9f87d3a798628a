// Generation by Decoder::forward: the statement that the fast form is compared with, and what runs where that
// one cannot (float64, other devices).
#include <ATen/ops/linear.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "keel/rollout/engine.h"
#include "keel/tensors/decode_kernels.h"

namespace keel {
namespace {

struct Cache {
  std::vector<Tensor> keys, values;  // a layer each: (pages · kPagePositions, kv_heads, d)
};

// Stores the rows' keys and values, then gathers what each row sees into (B, longest, kv_heads, d).
class PagedAttend : public Attend {
 public:
  PagedAttend(Cache& cache, std::span<const EngineRow> rows, const DecoderConfig& config, at::Device device)
      : cache_(cache), group_(config.heads / config.kv_heads) {
    scale_ = 1 / std::sqrt(static_cast<double>(config.head_size));
    int64_t longest = 0;
    for (const EngineRow& row : rows) longest = std::max(longest, row.position + 1);
    std::vector<int64_t> stored, seen;
    for (const EngineRow& row : rows) {
      stored.push_back(slot(row, row.position));
      for (int64_t i = 0; i < longest; ++i) seen.push_back(slot(row, std::min(i, row.position)));
    }
    const auto count = static_cast<int64_t>(rows.size());
    stored_ = at::tensor(stored, at::kLong).to(device);
    seen_ = at::tensor(seen, at::kLong).to(device);
    std::vector<int64_t> positions;
    for (const EngineRow& row : rows) positions.push_back(row.position);
    hidden_ = (at::arange(longest, at::kLong).unsqueeze(0) > at::tensor(positions, at::kLong).unsqueeze(1))
                  .view({count, 1, 1, longest})
                  .to(device);
  }

  Tensor operator()(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v) override {
    Tensor &keys = cache_.keys[static_cast<size_t>(layer)],
           &values = cache_.values[static_cast<size_t>(layer)];
    keys.index_copy_(0, stored_, k);
    values.index_copy_(0, stored_, v);
    const Tensor scores = (q.unsqueeze(2).matmul(gathered(keys, q).transpose(2, 3)) * scale_)
                              .masked_fill(hidden_, -std::numeric_limits<double>::infinity());
    return scores.softmax(-1).matmul(gathered(values, q)).squeeze(2);
  }

 private:
  static int64_t slot(const EngineRow& row, int64_t position) {
    return row.pages[static_cast<size_t>(position / kPagePositions)] * kPagePositions +
           position % kPagePositions;
  }
  // (B, heads, longest, d)
  Tensor gathered(const Tensor& cache, const Tensor& q) const {
    return cache.index_select(0, seen_)
        .view({q.size(0), -1, cache.size(1), cache.size(2)})
        .repeat_interleave(group_, 2)
        .transpose(1, 2);
  }

  Cache& cache_;
  int64_t group_;
  double scale_;
  Tensor stored_, seen_, hidden_;
};

class PlainEngine : public Engine {
 public:
  PlainEngine(const Model& model, int64_t pages) : model_(model) {
    const DecoderConfig& c = model.config();
    for (int64_t layer = 0; layer < c.layers; ++layer)
      for (auto* tensors : {&cache_.keys, &cache_.values})
        tensors->push_back(at::zeros({pages * kPagePositions, c.kv_heads, c.head_size},
                                     model.decoder.embedding().options().requires_grad(false)));
  }

  void run(std::span<const EngineRow> rows, const LogitsSink& sink) override {
    at::NoGradGuard no_grad;
    for (size_t begin = 0; begin < rows.size();) {
      const size_t count = rows_of_chunk(rows.subspan(begin));
      run_chunk(rows.subspan(begin, count), begin, sink);
      begin += count;
    }
  }

  void copy_page(int32_t from, int32_t to) override {
    for (auto* tensors : {&cache_.keys, &cache_.values})
      for (Tensor& tensor : *tensors)
        tensor.narrow(0, to * kPagePositions, kPagePositions)
            .copy_(tensor.narrow(0, from * kPagePositions, kPagePositions));
  }

 private:
  // As many as gather at most 2^24 elements.
  size_t rows_of_chunk(std::span<const EngineRow> rows) const {
    const int64_t width = model_.config().heads * model_.config().head_size;
    int64_t longest = 0;
    size_t count = 0;
    for (; count < rows.size(); ++count) {
      longest = std::max(longest, rows[count].position + 1);
      if (count > 0 && static_cast<int64_t>(count + 1) * longest * width > 1 << 24) break;
    }
    return count;
  }

  void run_chunk(std::span<const EngineRow> rows, size_t first, const LogitsSink& sink) {
    std::vector<int64_t> tokens, positions, wanted;
    for (size_t i = 0; i < rows.size(); ++i) {
      tokens.push_back(rows[i].token);
      positions.push_back(rows[i].position);
      if (rows[i].wants_logits) wanted.push_back(static_cast<int64_t>(i));
    }
    const at::Device device = model_.decoder.embedding().device();
    const auto on_device = [&](const std::vector<int64_t>& ids) {
      return at::tensor(ids, at::kLong).to(device);
    };
    PagedAttend attend(cache_, rows, model_.config(), device);
    const Tensor hidden =
        model_.decoder.forward(on_device(tokens), on_device(positions), attend, Precision::float32);
    for (const int64_t row : wanted) {
      const Tensor logits = at::linear(hidden[row], model_.head.weight).to(at::kFloat).cpu().contiguous();
      sink(first + static_cast<size_t>(row),
           {logits.const_data_ptr<float>(), static_cast<size_t>(logits.numel())});
    }
  }

  const Model& model_;
  Cache cache_;
};

}  // namespace

std::unique_ptr<Engine> make_plain_engine(const Model& model, int64_t pages) {
  return std::make_unique<PlainEngine>(model, pages);
}

}  // namespace keel
