#include "keel/algorithms/advantages.h"

#include <stdexcept>

#include "keel/tensors/checks.h"

namespace keel {
namespace {

void check_offsets(const char* where, std::span<const int64_t> offsets, int64_t count) {
  bool fits = !offsets.empty() && offsets.front() == 0 && offsets.back() == count;
  for (size_t i = 1; fits && i < offsets.size(); ++i) fits = offsets[i - 1] < offsets[i];
  if (!fits)
    throw std::invalid_argument("[" + std::string(where) + "] expected rising offsets from 0 to " +
                                std::to_string(count));
}

}  // namespace

Tensor token_rewards(const Tensor& kl, const Tensor& scores, std::span<const int64_t> offsets, double beta) {
  check_offsets("token_rewards", offsets, kl.size(0));
  check_shape("token_rewards", "scores", scores, {static_cast<int64_t>(offsets.size()) - 1});
  Tensor rewards = kl * -beta;
  std::vector<int64_t> last;
  for (size_t i = 1; i < offsets.size(); ++i) last.push_back(offsets[i] - 1);
  return rewards.index_add(0, at::tensor(last, at::kLong), scores.to(rewards.scalar_type()));
}

Advantages generalized_advantages(const Tensor& rewards, const Tensor& values,
                                  std::span<const int64_t> offsets, double gamma, double lambda) {
  check_offsets("generalized_advantages", offsets, rewards.size(0));
  check_shape("generalized_advantages", "values", values, rewards.sizes().vec());
  const Tensor r = rewards.to(at::kDouble).contiguous(), v = values.to(at::kDouble).contiguous();
  Tensor advantage = at::empty_like(r);
  const double *reward = r.const_data_ptr<double>(), *value = v.const_data_ptr<double>();
  double* out = advantage.data_ptr<double>();
  for (size_t i = 1; i < offsets.size(); ++i) {
    double next_value = 0, next_advantage = 0;
    for (int64_t t = offsets[i] - 1; t >= offsets[i - 1]; --t) {
      const double delta = reward[t] + gamma * next_value - value[t];
      next_advantage = out[t] = delta + gamma * lambda * next_advantage;
      next_value = value[t];
    }
  }
  advantage = advantage.to(values.scalar_type());
  return {advantage, advantage + values};
}

Tensor whiten(const Tensor& values, Variance variance, bool keep_mean) {
  const Tensor mean = values.mean();
  const Tensor spread = values.var(/*unbiased=*/variance == Variance::unbiased);
  const Tensor whitened = (values - mean) * (spread + 1e-8).rsqrt();
  return keep_mean ? whitened + mean : whitened;
}

}  // namespace keel
