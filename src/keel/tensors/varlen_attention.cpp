#include "keel/tensors/varlen_attention.h"

#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/logaddexp.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>

#include "keel/tensors/accelerator.h"
#include "keel/tensors/device.h"

namespace keel {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// The format of sums and log-sum-exps.
at::ScalarType wide_type(const Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// Ranges of one round while it is put together.
struct RoundBuilder {
  std::vector<int64_t> query_rows, key_rows;
  AttentionRound round;

  RoundBuilder() { round.query_starts = round.key_starts = {0}; }
  void add(int64_t query_begin, int64_t query_end, int64_t key_begin, int64_t key_end) {
    for (int64_t row = query_begin; row < query_end; ++row) query_rows.push_back(row);
    for (int64_t row = key_begin; row < key_end; ++row) key_rows.push_back(row);
    round.query_starts.push_back(static_cast<int32_t>(query_rows.size()));
    round.key_starts.push_back(static_cast<int32_t>(key_rows.size()));
    round.longest_query = std::max(round.longest_query, query_end - query_begin);
    round.longest_key = std::max(round.longest_key, key_end - key_begin);
  }

  AttentionRound build(at::Device device) {
    if (!round.causal) {
      round.query_rows = at::tensor(query_rows, at::kLong).to(device);
      round.key_rows = at::tensor(key_rows, at::kLong).to(device);
    }
    round.device_query_starts = at::tensor(round.query_starts, at::kInt).to(device);
    round.device_key_starts = at::tensor(round.key_starts, at::kInt).to(device);
    return std::move(round);
  }
};

Tensor rows_of(const Tensor& x, const Tensor& rows, int64_t dimension = 0) {
  return rows.defined() ? x.index_select(dimension, rows) : x;
}

// Calls work(queries [begin, end), keys [begin, end)) range by range.
template <class Work>
void for_each_range(const AttentionRound& round, const Work& work) {
  for (size_t i = 0; i + 1 < round.query_starts.size(); ++i)
    work(round.query_starts[i], round.query_starts[i + 1], round.key_starts[i], round.key_starts[i + 1]);
}

// The statement that every other kernel is held to: one range after the other, by ATen's products.
class PlainKernel : public VarlenKernel {
 public:
  Result forward(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionRound& round,
                 double scale) const override {
    Tensor out = at::empty_like(q);
    Tensor lse = at::empty({q.size(1), q.size(0)}, q.options().dtype(wide_type(q)));
    for_each_range(round, [&](int64_t q0, int64_t q1, int64_t k0, int64_t k1) {
      const Tensor score = scores(q.slice(0, q0, q1), keys(k.slice(0, k0, k1), q), round.causal, scale);
      const Tensor total = score.logsumexp(-1, /*keepdim=*/true);
      lse.slice(1, q0, q1).copy_(total.squeeze(-1));
      out.slice(0, q0, q1).copy_((score - total).exp().matmul(keys(v.slice(0, k0, k1), q)).transpose(0, 1));
    });
    return {out, lse};
  }

  // With p the probabilities and dp = grad vᵀ: ds = p (dp - sum of grad · out), dq = scale ds k, dk = scale
  // dsᵀ q, dv = pᵀ grad.
  Gradients backward(const Tensor& grad, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                     const Tensor& lse, const AttentionRound& round, double scale) const override {
    Gradients sum{at::empty_like(q), at::empty_like(k), at::empty_like(v)};
    const Tensor delta = (heads_first(grad) * heads_first(out)).sum(-1, /*keepdim=*/true);
    for_each_range(round, [&](int64_t q0, int64_t q1, int64_t k0, int64_t k1) {
      const Tensor dout = heads_first(grad.slice(0, q0, q1)), queries = heads_first(q.slice(0, q0, q1));
      const Tensor key = keys(k.slice(0, k0, k1), q), value = keys(v.slice(0, k0, k1), q);
      const Tensor p =
          (scores(q.slice(0, q0, q1), key, round.causal, scale) - lse.slice(1, q0, q1).unsqueeze(-1)).exp();
      const Tensor ds = p * (dout.matmul(value.transpose(1, 2)) - delta.slice(1, q0, q1)) * scale;
      sum.q.slice(0, q0, q1).copy_(ds.matmul(key).transpose(0, 1));
      sum.k.slice(0, k0, k1).copy_(by_key_head(ds.transpose(1, 2).matmul(queries), k));
      sum.v.slice(0, k0, k1).copy_(by_key_head(p.transpose(1, 2).matmul(dout), v));
    });
    return sum;
  }

 private:
  // (rows, heads, d) → (heads, rows, d) in the wide format.
  static Tensor heads_first(const Tensor& x) { return x.transpose(0, 1).to(wide_type(x)); }

  // (rows, kv_heads, d) → (heads, rows, d): each key head once for every query head that reads it.
  static Tensor keys(const Tensor& x, const Tensor& q) {
    const int64_t group = q.size(1) / x.size(1);
    return heads_first(x).unsqueeze(1).expand({-1, group, -1, -1}).reshape({q.size(1), x.size(0), x.size(2)});
  }

  // The way back of `keys`: (heads, rows, d) → (rows, kv_heads, d), summed over the group.
  static Tensor by_key_head(const Tensor& x, const Tensor& like) {
    return x.view({like.size(1), -1, x.size(1), x.size(2)}).sum(1).transpose(0, 1);
  }

  // (heads, queries, keys)
  static Tensor scores(const Tensor& q, const Tensor& key, bool causal, double scale) {
    const Tensor score = heads_first(q).matmul(key.transpose(1, 2)) * scale;
    if (!causal) return score;
    const Tensor place = at::arange(key.size(1), score.options().dtype(at::kLong));
    return score.masked_fill(place.unsqueeze(0) > place.unsqueeze(1),
                             -std::numeric_limits<double>::infinity());
  }
};

// at::_flash_attention_* with cumulative lengths; without dropout the state of its generator is not read.
class FlashKernel : public VarlenKernel {
 public:
  Result forward(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionRound& r,
                 double scale) const override {
    auto [out, lse, generator, unused, mask] =
        at::_flash_attention_forward(q, k, v, r.device_query_starts, r.device_key_starts, r.longest_query,
                                     r.longest_key, /*dropout_p=*/0.0, r.causal,
                                     /*return_debug_mask=*/false, scale);
    return {out, lse};
  }

  Gradients backward(const Tensor& grad, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                     const Tensor& lse, const AttentionRound& r, double scale) const override {
    const Tensor generator = at::zeros({2}, q.options().dtype(at::kUInt64)),
                 unused = at::empty({}, generator.options());
    auto [dq, dk, dv] =
        at::_flash_attention_backward(grad.contiguous(), q, k, v, out.contiguous(), lse.contiguous(),
                                      r.device_query_starts, r.device_key_starts, r.longest_query,
                                      r.longest_key, /*dropout_p=*/0.0, r.causal, generator, unused, scale);
    return {dq, dk, dv};
  }
};

// What the node keeps of a call beside its tensors.
struct Call : torch::CustomClassHolder {
  Call(std::shared_ptr<const AttentionRounds> r, double s, const VarlenKernel& k)
      : rounds(std::move(r)), scale(s), kernel(k) {}
  std::shared_ptr<const AttentionRounds> rounds;
  double scale;
  const VarlenKernel& kernel;
};

// Adds a round's result to the rows that it is a part of. out: (N, heads, d) and lse: (heads, N), both wide.
void merge(const Tensor& out, const Tensor& lse, const VarlenKernel::Result& part, const Tensor& rows) {
  const DistinctWrites rows_are_distinct;
  const Tensor before = lse.index_select(1, rows), merged = at::logaddexp(before, part.lse);
  const auto share = [&](const Tensor& of) { return (of - merged).exp().t().unsqueeze(-1); };
  out.index_copy_(0, rows, out.index_select(0, rows) * share(before) + part.out * share(part.lse));
  lse.index_copy_(1, rows, merged);
}

struct InRounds : Function<InRounds> {
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, const Tensor& v,
                        const c10::intrusive_ptr<Call>& call) {
    at::NoGradGuard no_grad;
    Tensor out, lse;
    for (const AttentionRound& round : *call->rounds) {
      const VarlenKernel::Result part =
          call->kernel.forward(rows_of(q, round.query_rows), rows_of(k, round.key_rows),
                               rows_of(v, round.key_rows), round, call->scale);
      if (round.causal) {  // the first one, of all rows
        out = part.out.to(wide_type(q), /*non_blocking=*/false, /*copy=*/true);
        lse = part.lse.clone();
      } else {
        merge(out, lse, part, round.query_rows);
      }
    }
    out = out.to(q.scalar_type());
    context->save_for_backward({q, k, v, out, lse});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4];
    const auto call = c10::static_intrusive_pointer_cast<Call>(context->saved_data["call"].toCapsule());
    const Tensor grad = grads[0].contiguous();
    const auto wide_zeros = [](const Tensor& x) { return at::zeros_like(x, wide_type(x)); };
    Tensor dq = wide_zeros(q), dk = wide_zeros(k), dv = wide_zeros(v);
    // A row stands at most once in a round, so that a sum has one order.
    const auto add = [](const Tensor& sum, const Tensor& part, const Tensor& rows) {
      const DistinctWrites rows_are_distinct;
      if (rows.defined())
        sum.index_copy_(0, rows, sum.index_select(0, rows) + part);
      else
        sum.add_(part);
    };
    for (const AttentionRound& round : *call->rounds) {
      const Tensor &queries = round.query_rows, &keys = round.key_rows;
      const VarlenKernel::Gradients part = call->kernel.backward(
          rows_of(grad, queries), rows_of(q, queries), rows_of(k, keys), rows_of(v, keys),
          rows_of(out, queries), rows_of(lse, queries, 1), round, call->scale);
      add(dq, part.q, queries);
      add(dk, part.k, keys);
      add(dv, part.v, keys);
    }
    return {dq.to(q.scalar_type()), dk.to(k.scalar_type()), dv.to(v.scalar_type()), Tensor()};
  }
};

}  // namespace

std::shared_ptr<const AttentionRounds> attention_rounds(const std::vector<Segment>& segments,
                                                        at::Device device) {
  std::vector<RoundBuilder> builders(1);
  builders[0].round.causal = true;
  std::vector<size_t> depth(segments.size());
  for (size_t i = 0; i < segments.size(); ++i) {
    const Segment& s = segments[i];
    builders[0].add(s.begin, s.end, s.begin, s.end);
    depth[i] = s.parent < 0 ? 0 : depth[static_cast<size_t>(s.parent)] + 1;
  }
  for (size_t i = 0; i < segments.size(); ++i) {
    size_t last = i;  // of its descendants
    while (last + 1 < segments.size() && depth[last + 1] > depth[i]) ++last;
    if (last == i) continue;
    builders.resize(std::max(builders.size(), depth[i] + 2));
    builders[depth[i] + 1].add(segments[i].end, segments[last].end, segments[i].begin, segments[i].end);
  }
  AttentionRounds rounds;
  for (RoundBuilder& builder : builders) rounds.push_back(builder.build(device));
  return std::make_shared<const AttentionRounds>(std::move(rounds));
}

const VarlenKernel& plain_varlen_kernel() {
  static const PlainKernel kernel;
  return kernel;
}

const VarlenKernel& flash_varlen_kernel() {
  static const FlashKernel kernel;
  return kernel;
}

const VarlenKernel& varlen_kernel_for(const Tensor& q) {
  const at::ScalarType type = q.scalar_type();
  const bool fits = (type == at::kBFloat16 || type == at::kHalf) && q.size(2) % 8 == 0 && q.size(2) <= 256;
  return q.is_cuda() && fits && accelerator_has_flash() ? flash_varlen_kernel() : plain_varlen_kernel();
}

Tensor attend_in_rounds(const Tensor& q, const Tensor& k, const Tensor& v,
                        const std::shared_ptr<const AttentionRounds>& rounds, double scale,
                        const VarlenKernel& kernel) {
  return InRounds::apply(q.contiguous(), k.contiguous(), v.contiguous(),
                         c10::make_intrusive<Call>(rounds, scale, kernel));
}

}  // namespace keel
