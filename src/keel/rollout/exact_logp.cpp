#include "keel/rollout/exact_logp.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <numeric>

#include "keel/base/products.h"
#include "keel/rollout/engine.h"
#include "keel/rollout/page_pool.h"
#include "keel/rollout/token_sampling.h"
#include "keel/tensors/decode_kernels.h"

namespace keel {
namespace {

// Where a segment's keys and values lie: whole pages of its ancestors, then its own, of which the first takes
// over what an ancestor's last one holds.
struct Place {
  std::vector<int32_t> pages;
  int32_t copied_from = -1, copied_to = -1;  // that first one, where there is something to take over
  int64_t depth = 0;
};

struct Layout {
  std::vector<Place> places;  // by segment
  int64_t pages = 0, depth = 0;
};

Layout lay_out(const Forest& forest) {
  const int64_t* positions = forest.positions.const_data_ptr<int64_t>();
  Layout layout;
  for (const Segment& segment : forest.segments) {
    Place place;
    const int64_t first = positions[segment.begin], end = first + segment.size();
    if (segment.parent >= 0) {
      const Place& parent = layout.places[static_cast<size_t>(segment.parent)];
      place.depth = parent.depth + 1;
      place.pages.assign(parent.pages.begin(), parent.pages.begin() + first / kPagePositions);
      if (first % kPagePositions != 0) {
        place.copied_from = parent.pages[static_cast<size_t>(first / kPagePositions)];
        place.copied_to = static_cast<int32_t>(layout.pages);
      }
    }
    while (std::ssize(place.pages) < pages_for(end))
      place.pages.push_back(static_cast<int32_t>(layout.pages++));
    layout.depth = std::max(layout.depth, place.depth + 1);
    layout.places.push_back(std::move(place));
  }
  return layout;
}

// What is asked of each row: wanted[first[row] .. first[row + 1]) are indices into `from`.
struct Questions {
  std::vector<size_t> first, wanted;

  Questions(const Tensor& from, int64_t rows)
      : first(static_cast<size_t>(rows) + 1), wanted(static_cast<size_t>(from.numel())) {
    const int64_t* row = from.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < from.numel(); ++i) ++first[static_cast<size_t>(row[i]) + 1];
    std::partial_sum(first.begin(), first.end(), first.begin());
    std::vector<size_t> next = first;
    for (int64_t i = 0; i < from.numel(); ++i)
      wanted[next[static_cast<size_t>(row[i])]++] = static_cast<size_t>(i);
  }
  bool any(size_t row) const { return first[row + 1] > first[row]; }
};

struct WithValues : torch::autograd::Function<WithValues> {
  static Tensor forward(torch::autograd::AutogradContext*, const Tensor&, const Tensor& values) {
    return values.clone();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::variable_list grads) {
    return {grads[0], Tensor()};
  }
};

}  // namespace

Tensor exact_logp(const Model& model, const Forest& forest, const Tensor& from, const Tensor& tokens,
                  double temperature) {
  at::NoGradGuard no_grad;
  const Layout layout = lay_out(forest);
  const auto engine = make_engine(model, layout.pages);
  const Questions questions(from, forest.size());
  const int64_t *ids = forest.tokens.const_data_ptr<int64_t>(), *asked = tokens.const_data_ptr<int64_t>();
  const int64_t* positions = forest.positions.const_data_ptr<int64_t>();
  Tensor logp = at::empty({from.numel()}, at::kFloat);
  float* result = logp.data_ptr<float>();
  for (int64_t depth = 0; depth < layout.depth; ++depth) {
    std::vector<EngineRow> rows;
    std::vector<size_t> forest_rows;
    for (size_t s = 0; s < layout.places.size(); ++s) {
      const Place& place = layout.places[s];
      if (place.depth != depth) continue;
      if (place.copied_to >= 0) engine->copy_page(place.copied_from, place.copied_to);
      for (int64_t row = forest.segments[s].begin; row < forest.segments[s].end; ++row) {
        rows.push_back({ids[row], positions[row], place.pages, questions.any(static_cast<size_t>(row))});
        forest_rows.push_back(static_cast<size_t>(row));
      }
    }
    count_products(decode_products(model.config(), rows));
    engine->run(rows, [&](size_t row, std::span<const float> logits) {
      for (size_t w = questions.first[forest_rows[row]]; w < questions.first[forest_rows[row] + 1]; ++w)
        result[questions.wanted[w]] =
            static_cast<float>(token_logp(logits, asked[questions.wanted[w]], temperature));
    });
  }
  return logp;
}

Tensor with_values(const Tensor& x, const Tensor& values) {
  return WithValues::apply(x, values);
}

}  // namespace keel
