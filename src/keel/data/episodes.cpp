#include "keel/data/episodes.h"

namespace keel {

EpisodeBatch episode_batch(std::span<const Episode* const> episodes,
                           const std::function<bool(const Episode&)>& after_end) {
  ForestBuilder builder;
  EpisodeBatch batch;
  std::vector<int64_t> from, tokens, state_rows, token_states;
  batch.offsets = batch.state_offsets = {0};
  int32_t root = -1;
  const Episode* previous = nullptr;
  for (const Episode* episode : episodes) {
    if (previous == nullptr || previous->prompt != episode->prompt) root = builder.add(episode->prompt);
    previous = episode;
    int64_t row = builder.last_row(root);
    const int64_t first = builder.size();
    builder.add(episode->response, root);
    for (size_t t = 0; t < episode->response.size(); ++t) {
      from.push_back(row);
      tokens.push_back(episode->response[t]);
      token_states.push_back(static_cast<int64_t>(state_rows.size()));
      state_rows.push_back(row);
      row = first + static_cast<int64_t>(t);
    }
    if (after_end && after_end(*episode)) state_rows.push_back(row);
    batch.offsets.push_back(static_cast<int64_t>(tokens.size()));
    batch.state_offsets.push_back(static_cast<int64_t>(state_rows.size()));
  }
  batch.forest = builder.build();
  batch.from = at::tensor(from, at::kLong);
  batch.tokens = at::tensor(tokens, at::kLong);
  batch.state_rows = at::tensor(state_rows, at::kLong);
  batch.token_states = at::tensor(token_states, at::kLong);
  return batch;
}

Tensor range_indices(const std::vector<int64_t>& offsets, std::span<const int64_t> chosen) {
  std::vector<int64_t> indices;
  for (const int64_t i : chosen)
    for (int64_t at = offsets[static_cast<size_t>(i)]; at < offsets[static_cast<size_t>(i) + 1]; ++at)
      indices.push_back(at);
  return at::tensor(indices, at::kLong);
}

}  // namespace keel
