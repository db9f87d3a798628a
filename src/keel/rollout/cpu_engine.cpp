// Generation without ATen: one team of threads runs a whole step between barriers, weights lie packed in
// panels, keys and values in the layout that the products read, and nothing is allocated on the way. What it
// computes is Decoder::forward; the tests hold both together for every family and instruction set.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "keel/base/thread_team.h"
#include "keel/rollout/cpu_engine.h"
#include "keel/rollout/engine.h"
#include "keel/rollout/page_pool.h"
#include "keel/tensors/simd.h"

namespace keel {
namespace {

constexpr int64_t kChunk = 256;        // rows that pass through the layers together
constexpr int64_t kRowBlock = 48;      // rows that one panel multiplies at a time
constexpr int64_t kHalf = kPanel / 2;  // a gated panel holds 32 gates and their 32 ups
constexpr int64_t kLogits = 1 << 21;   // logits that live at once, but at least 16 rows

// Zeroed memory that is real only where it was touched.
template <class T>
class Zeros {
 public:
  explicit Zeros(int64_t count = 0)
      : data_(static_cast<T*>(std::calloc(static_cast<size_t>(std::max<int64_t>(count, 1)), sizeof(T))),
              std::free) {
    if (!data_) throw std::bad_alloc();
  }
  T* at(int64_t index) const { return data_.get() + index; }
  /// Makes all of it real now, not in the middle of a step.
  void touch(int64_t count) const { std::fill_n(data_.get(), count, T(0)); }

 private:
  std::unique_ptr<T, void (*)(void*)> data_;
};

const float* floats(const Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}

// A projection in panels. `rows` maps its outputs to rows of the weight: −1 for none.
template <class T>
struct Packed {
  int64_t panels = 0, inner = 0;
  Zeros<T> weights;
  Zeros<float> bias;  // (panels, kPanel), or never read
  bool has_bias = false;

  Packed(const DecodeKernels& kernels, const Tensor& weight, const Tensor& biases,
         const std::vector<int64_t>& rows)
      : panels((static_cast<int64_t>(rows.size()) + kPanel - 1) / kPanel),
        inner(padded(weight.size(1))),
        weights(panels * inner * kPanel),
        bias(panels * kPanel),
        has_bias(biases.defined()) {
    const Tensor source = weight.detach().contiguous();
    const float* from = floats(source);
    const int64_t width = source.size(1);
    at::parallel_for(0, panels, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const float* panel[kPanel] = {};
        for (int64_t j = 0; j < kPanel; ++j) {
          const auto output = static_cast<size_t>(p * kPanel + j);
          if (output >= rows.size() || rows[output] < 0) continue;
          panel[j] = from + rows[output] * width;
          if (has_bias) *bias.at(p * kPanel + j) = floats(biases)[rows[output]];
        }
        kernels(PackRows<T, float>{panel, width, inner / kWord<T>, weights.at(p * inner * kPanel)});
      }
    });
  }
};

std::vector<int64_t> in_order(int64_t outputs) {
  std::vector<int64_t> rows(static_cast<size_t>(outputs));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  return rows;
}

// Each panel: kHalf gates, then their ups, so that the gate is an epilogue of the product.
std::vector<int64_t> gates_beside_ups(int64_t width) {
  std::vector<int64_t> rows;
  for (int64_t first = 0; first < width; first += kHalf)
    for (const int64_t part : {int64_t{0}, width})
      for (int64_t i = first; i < first + kHalf; ++i) rows.push_back(i < width ? part + i : -1);
  return rows;
}

template <class T>
struct PackedBlock {
  Linear norm1, norm2;
  Packed<T> qkv, out, up, down;
};

template <class T>
class CpuEngine : public Engine {
 public:
  CpuEngine(const Model& model, int64_t pages, const DecodeKernels& kernels)
      : model_(model),
        config_(model.config()),
        kernels_(kernels),
        team_(std::max(1, at::get_num_threads())),
        pages_(pages),
        head_(padded(config_.head_size)),
        queries_(config_.heads * config_.head_size),
        keys_width_(config_.kv_heads * config_.head_size),
        slots_(slots_for(config_.max_positions) + kPagePositions),
        hidden_stride_((config_.hidden + kPanel - 1) / kPanel * kPanel),
        embedding_(floats(model.decoder.embedding())),
        learned_(floats(model.decoder.learned_positions())),
        cosines_(floats(model.decoder.cosines())),
        sines_(floats(model.decoder.sines())),
        language_(kernels, model.head.weight, {}, in_order(config_.vocabulary)),
        qkv_stride_((queries_ + 2 * keys_width_ + kPanel - 1) / kPanel * kPanel),
        mlp_stride_(config_.gated_mlp ? (config_.mlp + kHalf - 1) / kHalf * kHalf
                                      : (config_.mlp + kPanel - 1) / kPanel * kPanel),
        head_rows_(std::clamp<int64_t>(kLogits / config_.vocabulary, 16, kChunk)),
        keys_(cache_size()),
        values_(cache_size()),
        x_(kChunk * config_.hidden),
        normed_(kChunk * padded(config_.hidden)),
        qkv_(kChunk * qkv_stride_),
        attended_(kChunk * padded(queries_)),
        inner_(kChunk * std::max(mlp_stride_, padded(config_.mlp))),
        added_(kChunk * hidden_stride_),
        logits_(head_rows_ * language_.panels * kPanel) {
    for (const Block& block : model.decoder.blocks())
      blocks_.push_back(
          {block.attention_norm, block.mlp_norm,
           Packed<T>(kernels, block.qkv.weight, block.qkv.bias, in_order(block.qkv.weight.size(0))),
           Packed<T>(kernels, block.attention_out.weight, block.attention_out.bias, in_order(config_.hidden)),
           Packed<T>(kernels, block.up.weight, block.up.bias,
                     config_.gated_mlp ? gates_beside_ups(config_.mlp) : in_order(config_.mlp)),
           Packed<T>(kernels, block.down.weight, block.down.bias, in_order(config_.hidden))});
    keys_.touch(cache_size());
    values_.touch(cache_size());
    const int64_t group = config_.heads / config_.kv_heads;
    for (int member = 0; member < team_.members(); ++member)  // none has been held up yet: all of them
      scratch_.emplace_back(slots_, head_, group);
    work_ = [this](int member) { pass(member); };
  }

  void run(std::span<const EngineRow> rows, const LogitsSink& sink) override {
    sink_ = &sink;
    for (size_t begin = 0; begin < rows.size(); begin += kChunk) {
      first_row_ = begin;
      rows_ = rows.subspan(begin, std::min<size_t>(kChunk, rows.size() - begin));
      wanted_.clear();
      for (size_t i = 0; i < rows_.size(); ++i)
        if (rows_[i].wants_logits) wanted_.push_back(static_cast<int64_t>(i));
      team_.run(work_);
    }
  }

 private:
  // What one member of the team needs for itself.
  struct Scratch {
    Zeros<float> tile, scores;
    Zeros<T> weights, q, out;
    Scratch(int64_t slots, int64_t head, int64_t group)
        : tile(kRowBlock * kPanel),
          scores(group * slots),
          weights(group * slots),
          q(group * head),
          out(group * head) {}
  };

  int64_t cache_size() const { return config_.layers * config_.kv_heads * pages_ * kPagePositions * head_; }
  int64_t count() const { return static_cast<int64_t>(rows_.size()); }

  // A member's share of `items`: neighbours, so that what lies together in memory is read by one core.
  template <class Item>
  void share(int member, int64_t items, const Item& item) const {
    const int64_t members = team_.members();
    for (int64_t i = items * member / members; i < items * (member + 1) / members; ++i) item(i);
  }

  // Calls finish(product, its first row, its panel) for all parts of a · weightᵀ, a: (rows, stride); where
  // the product goes is added there.
  template <class Finish>
  void multiply(int member, const T* a, int64_t stride, int64_t rows, const Packed<T>& w,
                const Finish& finish) {
    const int64_t row_blocks = (rows + kRowBlock - 1) / kRowBlock;
    float* tile = scratch_[static_cast<size_t>(member)].tile.at(0);
    share(member, w.panels * row_blocks, [&](int64_t item) {
      const int64_t panel = item / row_blocks, first = item % row_blocks * kRowBlock;
      const int64_t taken = std::min(kRowBlock, rows - first);
      finish(PanelProduct<T>{.a = a + first * stride,
                             .row_stride = stride,
                             .rows = taken,
                             .words = w.inner / kWord<T>,
                             .panel = w.weights.at(panel * w.inner * kPanel),
                             .sums = tile,
                             .bias = w.has_bias ? w.bias.at(panel * kPanel) : nullptr},
             first, panel);
    });
    team_.barrier();
  }

  // to (rows, to_stride) = a · weightᵀ + bias, rounded to T as the trainer keeps it.
  void project(int member, const T* a, int64_t stride, const Packed<T>& w, T* to, int64_t to_stride) {
    multiply(member, a, stride, count(), w, [&](PanelProduct<T> product, int64_t first, int64_t panel) {
      product.out = to + first * to_stride + panel * kPanel;
      product.out_stride = to_stride;
      kernels_(product);
    });
  }

  // One chunk of rows through the whole model, as a member of the team.
  void pass(int member) {
    share(member, count(), [&](int64_t row) { embed(row); });
    for (size_t layer = 0; layer < blocks_.size(); ++layer) {
      attention(member, static_cast<int64_t>(layer));
      mlp(member, blocks_[layer]);
    }
    for (size_t first = 0; first < wanted_.size(); first += static_cast<size_t>(head_rows_))
      language(member, first, std::min(static_cast<size_t>(head_rows_), wanted_.size() - first));
  }

  void embed(int64_t row) {
    const EngineRow& r = rows_[static_cast<size_t>(row)];
    float* const x = x_.at(row * config_.hidden);
    std::copy_n(embedding_ + r.token * config_.hidden, config_.hidden, x);
    if (learned_ == nullptr) return;
    const float* const position = learned_ + r.position * config_.hidden;
    for (int64_t c = 0; c < config_.hidden; ++c) x[c] += position[c];
  }

  // The residual stream takes what was projected last; its norm goes to the row `to` of normed_.
  void normalize(int64_t row, const Linear& norm, bool added, int64_t to) {
    float* const x = x_.at(row * config_.hidden);
    kernels_(NormRow<T>{.centered = config_.norm == Norm::layer,
                        .width = config_.hidden,
                        .epsilon = static_cast<float>(config_.norm_epsilon),
                        .weight = floats(norm.weight),
                        .bias = floats(norm.bias),
                        .x = x,
                        .added = added ? added_.at(row * hidden_stride_) : nullptr,
                        .sum = x,
                        .normed = normed_.at(to * padded(config_.hidden))});
  }

  void normalize_all(int member, const Linear& norm, bool added) {
    share(member, count(), [&](int64_t row) { normalize(row, norm, added, row); });
    team_.barrier();
  }

  void attention(int member, int64_t layer) {
    const PackedBlock<T>& block = blocks_[static_cast<size_t>(layer)];
    normalize_all(member, block.norm1, layer > 0);
    project(member, normed_.at(0), padded(config_.hidden), block.qkv, qkv_.at(0), qkv_stride_);
    const int64_t items = count() * config_.kv_heads;
    share(member, items, [&](int64_t i) { store(i / config_.kv_heads, i % config_.kv_heads, layer); });
    team_.barrier();
    share(member, items,
          [&](int64_t i) { attend(member, i / config_.kv_heads, i % config_.kv_heads, layer); });
    team_.barrier();
    project(member, attended_.at(0), padded(queries_), block.out, added_.at(0), hidden_stride_);
  }

  T* queries_of(int64_t row, int64_t kv_head) const {
    return qkv_.at(row * qkv_stride_ + kv_head * (config_.heads / config_.kv_heads) * config_.head_size);
  }

  void rotate(T* x, int64_t heads, int64_t position) const {
    const int64_t half = config_.head_size / 2;
    if (cosines_ != nullptr)
      kernels_(
          RotateRow<T>{x, heads, config_.head_size, cosines_ + position * half, sines_ + position * half});
  }

  // A row's key and value go to its page; key and queries are rotated before.
  void store(int64_t row, int64_t kv_head, int64_t layer) {
    const EngineRow& r = rows_[static_cast<size_t>(row)];
    T* const k = qkv_.at(row * qkv_stride_ + queries_ + kv_head * config_.head_size);
    const T* const v = k + keys_width_;
    rotate(queries_of(row, kv_head), config_.heads / config_.kv_heads, r.position);
    rotate(k, 1, r.position);
    const int64_t place = r.slot(), slot = place % kPagePositions,
                  page = r.pages[static_cast<size_t>(place / kPagePositions)];
    const int64_t at = ((layer * config_.kv_heads + kv_head) * pages_ + page) * kPagePositions * head_;
    for (int64_t c = 0; c < config_.head_size; ++c) {
      *keys_.at(at + key_place<T>(slot, c)) = k[c];
      *values_.at(at + value_place<T>(slot, c, head_)) = v[c];
    }
  }

  void attend(int member, int64_t row, int64_t kv_head, int64_t layer) {
    const EngineRow& r = rows_[static_cast<size_t>(row)];
    Scratch& own = scratch_[static_cast<size_t>(member)];
    const int64_t group = config_.heads / config_.kv_heads, width = config_.head_size,
                  prefix = std::min(r.prefix, r.position + 1);
    const bool whole = head_ == width;  // else heads go through a padded copy
    const T* const q = queries_of(row, kv_head);
    T* const to = attended_.at(row * padded(queries_) + kv_head * group * width);
    for (int64_t g = 0; !whole && g < group; ++g) std::copy_n(q + g * width, width, own.q.at(g * head_));
    const int64_t at = (layer * config_.kv_heads + kv_head) * pages_ * kPagePositions * head_;
    kernels_(PagedAttention<T>{.q = whole ? q : own.q.at(0),
                               .group = group,
                               .head = head_,
                               .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(width))),
                               .keys = keys_.at(at),
                               .values = values_.at(at),
                               .page_stride = kPagePositions * head_,
                               .pages = r.pages.data(),
                               .prefix = prefix,
                               .own = r.position + 1 - prefix,
                               .scores = own.scores.at(0),
                               .weights = own.weights.at(0),
                               .slots = slots_,
                               .out = whole ? to : own.out.at(0),
                               .out_stride = whole ? width : head_});
    for (int64_t g = 0; !whole && g < group; ++g) std::copy_n(own.out.at(g * head_), width, to + g * width);
  }

  void mlp(int member, const PackedBlock<T>& block) {
    normalize_all(member, block.norm2, true);
    const int64_t wide = config_.gated_mlp ? kHalf : kPanel;
    multiply(member, normed_.at(0), padded(config_.hidden), count(), block.up,
             [&](const PanelProduct<T>& product, int64_t first, int64_t panel) {
               kernels_(product);
               for (int64_t r = 0; r < product.rows; ++r) {
                 float* const tile = product.sums + r * kPanel;
                 for (int64_t j = 0; product.bias != nullptr && j < kPanel; ++j) tile[j] += product.bias[j];
                 kernels_(ActivateRow<T, float>{config_.activation, tile,
                                                config_.gated_mlp ? tile + kHalf : nullptr, wide,
                                                inner_.at((first + r) * mlp_stride_ + panel * wide)});
               }
             });
    project(member, inner_.at(0), mlp_stride_, block.down, added_.at(0), hidden_stride_);
  }

  // Logits of some of the wanted rows, handed to the sink.
  void language(int member, size_t first_wanted, size_t taken) {
    const auto rows = static_cast<int64_t>(taken);
    const auto row_of = [&](int64_t i) { return wanted_[first_wanted + static_cast<size_t>(i)]; };
    share(member, rows, [&](int64_t i) { normalize(row_of(i), model_.decoder.norm(), true, i); });
    team_.barrier();
    const int64_t stride = language_.panels * kPanel;
    multiply(member, normed_.at(0), padded(config_.hidden), rows, language_,
             [&](PanelProduct<T> product, int64_t first, int64_t panel) {
               product.sums = logits_.at(first * stride + panel * kPanel);
               product.sums_stride = stride;
               kernels_(product);
             });
    share(member, rows, [&](int64_t i) {
      (*sink_)(first_row_ + static_cast<size_t>(row_of(i)),
               {logits_.at(i * stride), static_cast<size_t>(config_.vocabulary)});
    });
    team_.barrier();
  }

  const Model& model_;
  const DecoderConfig& config_;
  const DecodeKernels& kernels_;
  ThreadTeam team_;
  int64_t pages_, head_, queries_, keys_width_, slots_, hidden_stride_;
  const float *embedding_, *learned_, *cosines_, *sines_;
  Packed<T> language_;
  int64_t qkv_stride_, mlp_stride_, head_rows_;
  std::vector<PackedBlock<T>> blocks_;
  Zeros<T> keys_, values_;  // (layers, kv_heads, pages, a page of the head)
  Zeros<float> x_;
  Zeros<T> normed_;
  Zeros<T> qkv_, attended_, inner_, added_;
  Zeros<float> logits_;
  std::vector<Scratch> scratch_;
  std::function<void(int)> work_;
  // Of the chunk that is being run.
  std::span<const EngineRow> rows_;
  size_t first_row_ = 0;
  std::vector<int64_t> wanted_;
  const LogitsSink* sink_ = nullptr;
};

}  // namespace

std::unique_ptr<Engine> make_cpu_engine(const Model& model, int64_t pages, const DecodeKernels& kernels) {
  if (model.precision == Precision::bfloat16)
    return std::make_unique<CpuEngine<uint16_t>>(model, pages, kernels);
  return std::make_unique<CpuEngine<float>>(model, pages, kernels);
}

std::unique_ptr<Engine> make_engine(const Model& model, int64_t pages) {
  const Tensor& embedding = model.decoder.embedding();
  if (embedding.is_cpu() && embedding.scalar_type() == at::kFloat)
    return make_cpu_engine(model, pages, *decode_kernel_levels().front());
  return make_plain_engine(model, pages);
}

}  // namespace keel
