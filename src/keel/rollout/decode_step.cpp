#include "keel/rollout/decode_step.h"

#include <cmath>
#include <limits>

#include "keel/tensors/decode_kernels.h"
#include "keel/tensors/device.h"

namespace keel {
namespace {

at::ScalarType format_of(const Tensor& weights, Precision precision) {
  return precision == Precision::bfloat16 && weights.scalar_type() == at::kFloat ? at::kBFloat16
                                                                                 : weights.scalar_type();
}

// Stores the rows' keys and values, then gathers what each row's pages hold, and hides what lies behind its
// slot and behind its prefix (EngineRow). positions, prefixes: (B), pages: (B, P), int64.
class PagedAttend : public Attend {
 public:
  PagedAttend(PagedCache& cache, const Tensor& positions, const Tensor& prefixes, const Tensor& pages,
              const DecoderConfig& config)
      : cache_(cache), scale_(1 / std::sqrt(static_cast<double>(config.head_size))) {
    const Tensor own = (prefixes + (kPagePositions - 1)).div(kPagePositions, "floor") * kPagePositions;
    const Tensor places_of_rows = at::where(positions < prefixes, positions, own + positions - prefixes);
    const Tensor page = pages.gather(1, places_of_rows.div(kPagePositions, "floor").unsqueeze(1)).squeeze(1);
    stored_ = page * kPagePositions + places_of_rows.remainder(kPagePositions);
    const Tensor slots = at::arange(kPagePositions, pages.options());
    seen_ = (pages.unsqueeze(2) * kPagePositions + slots).view(-1);
    const Tensor places = at::arange(pages.size(1) * kPagePositions, pages.options()).unsqueeze(0);
    const Tensor gap = (places >= prefixes.unsqueeze(1)) & (places < own.unsqueeze(1));
    hidden_ = ((places > places_of_rows.unsqueeze(1)) | gap).unsqueeze(1).unsqueeze(1);  // (B, 1, 1, seen)
  }

  Tensor operator()(int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v) override {
    const auto index = static_cast<size_t>(layer);
    Tensor &keys = cache_.keys[index], &values = cache_.values[index];
    keys.index_copy_(0, stored_, k.to(keys.scalar_type()));
    values.index_copy_(0, stored_, v.to(values.scalar_type()));
    const int64_t rows = q.size(0), kv_heads = keys.size(1);
    const Tensor queries = q.to(keys.scalar_type()).view({rows, kv_heads, -1, q.size(2)});
    const auto wide = q.scalar_type();
    const Tensor scores = queries.matmul(gathered(keys, rows).permute({0, 2, 3, 1})).to(wide) * scale_;
    const Tensor weights = scores.masked_fill(hidden_, -std::numeric_limits<double>::infinity()).softmax(-1);
    return weights.to(keys.scalar_type())
        .matmul(gathered(values, rows).transpose(1, 2))
        .to(wide)
        .view(q.sizes());
  }

 private:
  // (B, seen, kv_heads, d)
  Tensor gathered(const Tensor& cache, int64_t rows) const {
    return cache.index_select(0, seen_).view({rows, -1, cache.size(1), cache.size(2)});
  }

  PagedCache& cache_;
  double scale_;
  Tensor stored_, seen_, hidden_;
};

bool is_matrix_of_block(const Parameter& parameter) {
  return parameter.name.starts_with("layers.") && parameter.value.dim() == 2;
}

}  // namespace

PagedCache::PagedCache(const Model& model, int64_t pages) {
  const DecoderConfig& c = model.config();
  const Tensor& like = model.decoder.embedding();
  const auto options = like.options().dtype(format_of(like, model.precision)).requires_grad(false);
  for (int64_t layer = 0; layer < c.layers; ++layer)
    for (auto* tensors : {&keys, &values})
      tensors->push_back(at::zeros({pages * kPagePositions, c.kv_heads, c.head_size}, options));
}

Decoder with_matrices_in(Precision precision, const Decoder& decoder) {
  std::vector<Parameter> parameters;
  for (const Parameter& p : decoder.parameters())
    parameters.push_back({p.name, is_matrix_of_block(p) ? p.value.detach().to(format_of(p.value, precision))
                                                        : p.value.detach()});
  return Decoder(decoder.config(), std::move(parameters));
}

DecodeStep::DecodeStep(const Decoder& decoder, const Tensor& head, PagedCache& cache, Precision precision,
                       const StepShape& shape)
    : decoder_(decoder), head_(head), cache_(cache), precision_(precision), shape_(shape) {
  const auto options = decoder.embedding().options().requires_grad(false);
  input_ = at::zeros({shape.rows, kInputsBeforePages + shape.pages}, options.dtype(at::kLong));
  if (shape.logits) logits_ = at::zeros({shape.rows, head.size(0)}, options);
}

void DecodeStep::run() {
  at::NoGradGuard no_grad;
  const DistinctWrites slots_are_distinct;  // but for the spare page's, which none reads
  const Tensor tokens = input_.select(1, 0).contiguous(), positions = input_.select(1, 1).contiguous(),
               prefixes = input_.select(1, 2).contiguous(),
               pages = input_.slice(1, kInputsBeforePages).contiguous();
  const auto attend = std::make_shared<PagedAttend>(cache_, positions, prefixes, pages, decoder_.config());
  const Tensor hidden = decoder_.forward(tokens, positions, attend, {.precision = precision_});
  if (shape_.logits) logits_.copy_(wide_product(hidden.to(head_.scalar_type()), head_));
}

}  // namespace keel
