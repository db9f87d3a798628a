#include "keel/algorithms/ppo.h"

#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>

#include "keel/tensors/checks.h"

namespace keel {
namespace {

struct Terms {
  Tensor plain, clipped;
};

Terms policy_terms(const Tensor& logp, const Tensor& logp_old, const Tensor& advantage, const Clip& clip) {
  const Tensor ratio = (logp - logp_old).exp();
  return {-ratio * advantage, -ratio.clamp(1 - clip.low, 1 + clip.high) * advantage};
}

Terms value_terms(const Tensor& value, const Tensor& value_old, const Tensor& returns, double range) {
  const Tensor near = at::maximum(at::minimum(value, value_old + range), value_old - range);
  return {(value - returns).square(), (near - returns).square()};
}

double clipped_share(const Terms& terms, const Tensor& weight) {
  const Tensor active = terms.clipped.gt(terms.plain).to(weight.scalar_type());
  return ((active * weight).sum() / weight.sum()).item().toDouble();
}

void check_all(const char* where, const Tensor& first, std::initializer_list<const Tensor*> others) {
  check_shape(where, "the first argument", first, {-1});
  for (const Tensor* other : others) check_shape(where, "every argument", *other, first.sizes().vec());
}

}  // namespace

Tensor ppo_policy_loss(const Tensor& logp, const Tensor& logp_old, const Tensor& advantage,
                       const Tensor& weight, const Clip& clip) {
  check_all("ppo_policy_loss", logp, {&logp_old, &advantage, &weight});
  const Terms terms = policy_terms(logp, logp_old, advantage, clip);
  return (at::maximum(terms.plain, terms.clipped) * weight).sum();
}

Tensor ppo_value_loss(const Tensor& value, const Tensor& value_old, const Tensor& returns,
                      const Tensor& weight, double range) {
  check_all("ppo_value_loss", value, {&value_old, &returns, &weight});
  const Terms terms = value_terms(value, value_old, returns, range);
  return (at::maximum(terms.plain, terms.clipped) * weight).sum() / 2;
}

double policy_clip_fraction(const Tensor& logp, const Tensor& logp_old, const Tensor& advantage,
                            const Tensor& weight, const Clip& clip) {
  return clipped_share(policy_terms(logp, logp_old, advantage, clip), weight);
}

double value_clip_fraction(const Tensor& value, const Tensor& value_old, const Tensor& returns,
                           const Tensor& weight, double range) {
  return clipped_share(value_terms(value, value_old, returns, range), weight);
}

}  // namespace keel
