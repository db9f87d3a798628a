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

// What a projection gives is rounded where the trainer's pass (models/fused_block) rounds it: sampler and
// trainer then err alike, and what they say of a token hardly differs.
KEEL_INLINE float in_format(float value, bool narrow) {
  return narrow ? bfloat16_to_float(float_to_bfloat16(value)) : value;
}
// x += added (+ bias), and to = from (+ bias).
KEEL_DISPATCHED void add_row(float* x, const float* added, const float* bias, int64_t count, bool narrow) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i)
    x[i] += in_format(bias != nullptr ? added[i] + bias[i] : added[i], narrow);
}
KEEL_DISPATCHED void copy_row(float* to, const float* from, const float* bias, int64_t count, bool narrow) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i)
    to[i] = in_format(bias != nullptr ? from[i] + bias[i] : from[i], narrow);
}
float stored(float value, float) {
  return value;
}
uint16_t stored(float value, uint16_t) {
  return float_to_bfloat16(value);
}

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
      scratch_.emplace_back(slots_for(config_.max_positions) + kPagePositions, head_, group);
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
    Zeros<float> tile, scores, q;
    Zeros<T> weights, query, out;
    Scratch(int64_t slots, int64_t head, int64_t group)
        : tile(kRowBlock * kPanel),
          scores(slots),
          q(group * head),
          weights(slots),
          query(head),
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

  // Calls finish(row, panel, tile of the row) for every row of a · weightᵀ, a: (rows, stride).
  template <class Finish>
  void multiply(int member, const T* a, int64_t stride, int64_t rows, const Packed<T>& w,
                const Finish& finish) {
    const int64_t row_blocks = (rows + kRowBlock - 1) / kRowBlock;
    float* tile = scratch_[static_cast<size_t>(member)].tile.at(0);
    share(member, w.panels * row_blocks, [&](int64_t item) {
      const int64_t panel = item / row_blocks, first = item % row_blocks * kRowBlock;
      const int64_t taken = std::min(kRowBlock, rows - first);
      kernels_(PanelProduct<T>{.a = a + first * stride,
                               .row_stride = stride,
                               .rows = taken,
                               .words = w.inner / kWord<T>,
                               .panel = w.weights.at(panel * w.inner * kPanel),
                               .sums = tile});
      for (int64_t r = 0; r < taken; ++r) finish(first + r, panel, tile + r * kPanel);
    });
    team_.barrier();
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
    const Tensor& positions = model_.decoder.learned_positions();
    copy_row(x_.at(row * config_.hidden), floats(model_.decoder.embedding()) + r.token * config_.hidden,
             positions.defined() ? floats(positions) + r.position * config_.hidden : nullptr, config_.hidden,
             false);
  }

  void normalize(int64_t row, const Linear& norm, int64_t to) {
    float* const x = x_.at(row * config_.hidden);
    kernels_(NormRow<T>{.centered = config_.norm == Norm::layer,
                        .width = config_.hidden,
                        .epsilon = static_cast<float>(config_.norm_epsilon),
                        .weight = floats(norm.weight),
                        .bias = floats(norm.bias),
                        .x = x,
                        .sum = x,
                        .normed = normed_.at(to * padded(config_.hidden))});
  }

  void normalize_all(int member, const Linear& norm) {
    share(member, count(), [&](int64_t row) { normalize(row, norm, row); });
    team_.barrier();
  }

  void add_projection(int member, const T* a, int64_t stride, const Packed<T>& w) {
    multiply(member, a, stride, count(), w, [&](int64_t row, int64_t panel, const float* tile) {
      const int64_t column = panel * kPanel;
      add_row(x_.at(row * config_.hidden + column), tile, w.has_bias ? w.bias.at(column) : nullptr,
              std::min(kPanel, config_.hidden - column), kNarrow);
    });
  }

  void attention(int member, int64_t layer) {
    const PackedBlock<T>& block = blocks_[static_cast<size_t>(layer)];
    normalize_all(member, block.norm1);
    multiply(member, normed_.at(0), padded(config_.hidden), count(), block.qkv,
             [&](int64_t row, int64_t panel, const float* tile) {
               copy_row(qkv_.at(row * qkv_stride_ + panel * kPanel), tile,
                        block.qkv.has_bias ? block.qkv.bias.at(panel * kPanel) : nullptr, kPanel, kNarrow);
             });
    const int64_t items = count() * config_.kv_heads;
    share(member, items, [&](int64_t i) { store(i / config_.kv_heads, i % config_.kv_heads, layer); });
    team_.barrier();
    share(member, items,
          [&](int64_t i) { attend(member, i / config_.kv_heads, i % config_.kv_heads, layer); });
    team_.barrier();
    add_projection(member, attended_.at(0), padded(queries_), block.out);
  }

  void rotate(float* x, int64_t position) const {
    const Tensor& cosines = model_.decoder.cosines();
    const int64_t half = config_.head_size / 2;
    if (cosines.defined())
      kernels_.rotate({x, 1, config_.head_size, floats(cosines) + position * half,
                       floats(model_.decoder.sines()) + position * half, 1});
  }

  // A row's key, rotated, and value go to its page.
  void store(int64_t row, int64_t kv_head, int64_t layer) {
    const EngineRow& r = rows_[static_cast<size_t>(row)];
    float* k = qkv_.at(row * qkv_stride_ + queries_ + kv_head * config_.head_size);
    const float* v = k + keys_width_;
    rotate(k, r.position);
    const int64_t place = r.slot(), slot = place % kPagePositions,
                  page = r.pages[static_cast<size_t>(place / kPagePositions)];
    const int64_t at = ((layer * config_.kv_heads + kv_head) * pages_ + page) * kPagePositions * head_;
    for (int64_t c = 0; c < config_.head_size; ++c) {
      *keys_.at(at + key_place<T>(slot, c)) = stored(k[c], T());
      *values_.at(at + value_place<T>(slot, c, head_)) = stored(v[c], T());
    }
  }

  void attend(int member, int64_t row, int64_t kv_head, int64_t layer) {
    const EngineRow& r = rows_[static_cast<size_t>(row)];
    Scratch& own = scratch_[static_cast<size_t>(member)];
    const int64_t group = config_.heads / config_.kv_heads, width = config_.head_size;
    const float* from = qkv_.at(row * qkv_stride_ + kv_head * group * width);
    for (int64_t g = 0; g < group; ++g) {
      float* q = own.q.at(g * head_);
      std::copy_n(from + g * width, width, q);
      rotate(q, r.position);
    }
    T* to = attended_.at(row * padded(queries_) + kv_head * group * width);
    const int64_t at = (layer * config_.kv_heads + kv_head) * pages_ * kPagePositions * head_;
    const bool whole = head_ == width;  // else a head's padding would lie over its neighbour
    kernels_(PagedAttention<T>{
        own.q.at(0), group, head_, static_cast<float>(1 / std::sqrt(static_cast<double>(width))),
        keys_.at(at), values_.at(at), kPagePositions * head_, r.pages.data(),
        std::min(r.prefix, r.position + 1), r.position + 1 - std::min(r.prefix, r.position + 1),
        own.scores.at(0), own.weights.at(0), own.query.at(0), whole ? to : own.out.at(0),
        whole ? width : head_});
    for (int64_t g = 0; !whole && g < group; ++g) std::copy_n(own.out.at(g * head_), width, to + g * width);
  }

  void mlp(int member, const PackedBlock<T>& block) {
    normalize_all(member, block.norm2);
    const int64_t wide = config_.gated_mlp ? kHalf : kPanel;
    multiply(
        member, normed_.at(0), padded(config_.hidden), count(), block.up,
        [&](int64_t row, int64_t panel, float* tile) {
          if (block.up.has_bias) add_row(tile, block.up.bias.at(panel * kPanel), nullptr, kPanel, false);
          kernels_(ActivateRow<T, float>{config_.activation, tile, config_.gated_mlp ? tile + kHalf : nullptr,
                                         wide, inner_.at(row * mlp_stride_ + panel * wide)});
        });
    add_projection(member, inner_.at(0), mlp_stride_, block.down);
  }

  // Logits of some of the wanted rows, handed to the sink.
  void language(int member, size_t first, size_t taken) {
    const auto rows = static_cast<int64_t>(taken);
    share(member, rows,
          [&](int64_t i) { normalize(wanted_[first + static_cast<size_t>(i)], model_.decoder.norm(), i); });
    team_.barrier();
    const int64_t stride = language_.panels * kPanel;
    multiply(member, normed_.at(0), padded(config_.hidden), rows, language_,
             [&](int64_t row, int64_t panel, const float* tile) {
               copy_row(logits_.at(row * stride + panel * kPanel), tile, nullptr, kPanel, false);
             });
    share(member, rows, [&](int64_t i) {
      (*sink_)(first_row_ + static_cast<size_t>(wanted_[first + static_cast<size_t>(i)]),
               {logits_.at(i * stride), static_cast<size_t>(config_.vocabulary)});
    });
    team_.barrier();
  }

  static constexpr bool kNarrow = std::is_same_v<T, uint16_t>;
  const Model& model_;
  const DecoderConfig& config_;
  const DecodeKernels& kernels_;
  ThreadTeam team_;
  int64_t pages_, head_, queries_, keys_width_;
  Packed<T> language_;
  int64_t qkv_stride_, mlp_stride_, head_rows_;
  std::vector<PackedBlock<T>> blocks_;
  Zeros<T> keys_, values_;  // (layers, kv_heads, pages, a page of the head)
  Zeros<float> x_;
  Zeros<T> normed_;
  Zeros<float> qkv_;
  Zeros<T> attended_, inner_;
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
