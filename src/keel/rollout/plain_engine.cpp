// Generation by Decoder::forward: the statement that the fast form is compared with, and what runs where that
// one cannot (float64, other devices). Rows and pages are rounded up to powers of two, so that few shapes of
// a step occur, and each is recorded where the device can (tensors/accelerator.h): a step is then one copy of
// ids to the device, one launch, and one copy of logits back.
#include <algorithm>
#include <bit>

#include "keel/rollout/decode_step.h"
#include "keel/rollout/engine.h"
#include "keel/rollout/page_pool.h"
#include "keel/tensors/accelerator.h"
#include "keel/tensors/decode_kernels.h"

namespace keel {
namespace {

constexpr int64_t kRows = 256;                   // that pass through the layers together
constexpr int64_t kGathered = int64_t{1} << 24;  // elements of the keys that a layer gathers at once

int64_t power_of_two(int64_t at_least) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(at_least)));
}

class PlainEngine : public Engine {
 public:
  PlainEngine(const Model& model, int64_t pages)
      : config_(model.config()),
        precision_(model.precision),
        decoder_(with_matrices_in(model.precision, model.decoder)),
        spare_page_(pages),
        cache_(model, pages + 1) {
    const Tensor head = model.head.weight.detach();
    head_ = head.to(cache_.keys.front().scalar_type());
  }

  void run(std::span<const EngineRow> rows, const LogitsSink& sink) override {
    for (size_t begin = 0; begin < rows.size();) {
      const auto chunk = rows.subspan(begin, rows_of_chunk(rows.subspan(begin)));
      run_chunk(chunk, begin, sink);
      begin += chunk.size();
    }
  }

 private:
  struct Step {
    DecodeStep step;
    std::unique_ptr<Recorded> recorded;
    Tensor host_input;

    Step(const PlainEngine& engine, PagedCache& cache, const StepShape& shape)
        : step(engine.decoder_, engine.head_, cache, engine.precision_, shape),
          recorded(record([this] { step.run(); }, engine.decoder_.device())),
          host_input(at::zeros(step.input().sizes(), at::kLong)) {}
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
  };

  // As many rows as gather at most kGathered elements, but at least one.
  size_t rows_of_chunk(std::span<const EngineRow> rows) const {
    const int64_t width = kPagePositions * config_.kv_heads * config_.head_size;
    int64_t pages = 1;
    size_t count = 0;
    for (; count < rows.size() && static_cast<int64_t>(count) < kRows; ++count) {
      pages = std::max(pages, power_of_two(pages_for(rows[count].slot() + 1)));
      if (count > 0 && power_of_two(static_cast<int64_t>(count) + 1) * pages * width > kGathered) break;
    }
    return count;
  }

  Step& step_for(std::span<const EngineRow> rows) {
    StepShape shape{power_of_two(static_cast<int64_t>(rows.size())), 1, false};
    for (const EngineRow& row : rows) {
      shape.pages = std::max(shape.pages, power_of_two(pages_for(row.slot() + 1)));
      shape.logits = shape.logits || row.wants_logits;
    }
    std::unique_ptr<Step>& step = steps_[shape];
    if (!step) step = std::make_unique<Step>(*this, cache_, shape);
    return *step;
  }

  // Rows and pages beyond what there is name the spare page.
  void fill(Tensor& input, std::span<const EngineRow> rows) const {
    const int64_t width = input.size(1);
    int64_t* to = input.data_ptr<int64_t>();
    for (int64_t r = 0; r < input.size(0); ++r, to += width) {
      std::fill_n(to, width, spare_page_);
      std::fill_n(to, kInputsBeforePages, 0);
      if (r >= std::ssize(rows)) continue;
      const EngineRow& row = rows[static_cast<size_t>(r)];
      to[0] = row.token;
      to[1] = row.position;
      to[2] = row.prefix;
      std::copy_n(row.pages.begin(), std::min(width - kInputsBeforePages, std::ssize(row.pages)),
                  to + kInputsBeforePages);
    }
  }

  void run_chunk(std::span<const EngineRow> rows, size_t first, const LogitsSink& sink) {
    Step& step = step_for(rows);
    fill(step.host_input, rows);
    step.step.input().copy_(step.host_input);
    step.recorded->run();
    std::vector<int64_t> wanted;
    for (size_t i = 0; i < rows.size(); ++i)
      if (rows[i].wants_logits) wanted.push_back(static_cast<int64_t>(i));
    if (wanted.empty()) return;
    const Tensor all = step.step.logits();
    const Tensor picked = all.index_select(0, at::tensor(wanted, at::kLong).to(all.device()));
    const Tensor logits = picked.to(at::kFloat).cpu();
    const auto vocabulary = static_cast<size_t>(logits.size(1));
    at::parallel_for(0, std::ssize(wanted), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        sink(first + static_cast<size_t>(wanted[static_cast<size_t>(i)]),
             {logits.const_data_ptr<float>() + static_cast<size_t>(i) * vocabulary, vocabulary});
    });
  }

  DecoderConfig config_;
  Precision precision_;
  Decoder decoder_;
  Tensor head_;
  int64_t spare_page_;
  PagedCache cache_;
  std::map<StepShape, std::unique_ptr<Step>> steps_;
};

}  // namespace

std::unique_ptr<Engine> make_plain_engine(const Model& model, int64_t pages) {
  return std::make_unique<PlainEngine>(model, pages);
}

}  // namespace keel
