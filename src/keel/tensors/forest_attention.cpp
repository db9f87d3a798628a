#include "keel/tensors/forest_attention.h"

#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/logaddexp.h>
#include <torch/csrc/autograd/custom_function.h>

#include "keel/tensors/checks.h"
#include "keel/tensors/forest_attention_cpu.h"

namespace keel {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Rows [begin, end) of (N, heads, d) as flash attention wants them: (1, heads, rows, d).
Tensor as_batch(const Tensor& packed, int64_t begin, int64_t end) {
  return packed.slice(0, begin, end).transpose(0, 1).unsqueeze(0);
}

struct PieceResult {
  Tensor out;  // (rows, heads, d)
  Tensor lse;  // (rows, heads)
};

PieceResult attend_piece(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionPiece& piece,
                         double scale) {
  auto [out, lse] = at::_scaled_dot_product_flash_attention_for_cpu(
      as_batch(q, piece.query_begin, piece.query_end), as_batch(k, piece.key_begin, piece.key_end),
      as_batch(v, piece.key_begin, piece.key_end), 0.0, piece.causal, {}, scale);
  return {out.squeeze(0).transpose(0, 1), lse.squeeze(0).transpose(0, 1)};
}

void merge_piece(Tensor out, Tensor lse, const PieceResult& piece) {
  const Tensor merged = at::logaddexp(lse, piece.lse);
  out.mul_((lse - merged).exp().to(out.scalar_type()).unsqueeze(-1));
  out.add_(piece.out * (piece.lse - merged).exp().to(out.scalar_type()).unsqueeze(-1));
  lse.copy_(merged);
}

struct ByPieces : Function<ByPieces> {
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, const Tensor& v,
                        std::vector<AttentionPiece> pieces, double scale) {
    at::NoGradGuard no_grad;
    Tensor out = at::empty_like(q);
    Tensor lse = at::empty({q.size(0), q.size(1)},
                           q.options().dtype(q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat));
    for (const AttentionPiece& piece : pieces) {
      const PieceResult result = attend_piece(q, k, v, piece, scale);
      Tensor rows = out.slice(0, piece.query_begin, piece.query_end);
      Tensor rows_lse = lse.slice(0, piece.query_begin, piece.query_end);
      if (piece.causal) {  // the first piece of its query range
        rows.copy_(result.out);
        rows_lse.copy_(result.lse);
      } else {
        merge_piece(rows, rows_lse, result);
      }
    }
    context->save_for_backward({q, k, v, out, lse});
    context->saved_data["scale"] = scale;
    context->saved_data["pieces"] = pack(pieces);
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4];
    const double scale = context->saved_data["scale"].toDouble();
    const Tensor grad = grads[0].contiguous();
    Tensor dq = at::zeros_like(q), dk = at::zeros_like(k), dv = at::zeros_like(v);
    for (const AttentionPiece& p : unpack(context->saved_data["pieces"].toIntVector())) {
      auto [gq, gk, gv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
          as_batch(grad, p.query_begin, p.query_end), as_batch(q, p.query_begin, p.query_end),
          as_batch(k, p.key_begin, p.key_end), as_batch(v, p.key_begin, p.key_end),
          as_batch(out, p.query_begin, p.query_end),
          lse.slice(0, p.query_begin, p.query_end).transpose(0, 1).unsqueeze(0), 0.0, p.causal, {}, scale);
      dq.slice(0, p.query_begin, p.query_end).add_(gq.squeeze(0).transpose(0, 1));
      dk.slice(0, p.key_begin, p.key_end).add_(gk.squeeze(0).transpose(0, 1));
      dv.slice(0, p.key_begin, p.key_end).add_(gv.squeeze(0).transpose(0, 1));
    }
    return {dq, dk, dv, Tensor(), Tensor()};
  }

 private:
  static std::vector<int64_t> pack(const std::vector<AttentionPiece>& pieces) {
    std::vector<int64_t> flat;
    for (const AttentionPiece& p : pieces)
      flat.insert(flat.end(), {p.query_begin, p.query_end, p.key_begin, p.key_end, int64_t{p.causal}});
    return flat;
  }
  static std::vector<AttentionPiece> unpack(const std::vector<int64_t>& flat) {
    std::vector<AttentionPiece> pieces;
    for (size_t i = 0; i + 4 < flat.size(); i += 5)
      pieces.push_back({flat[i], flat[i + 1], flat[i + 2], flat[i + 3], flat[i + 4] != 0});
    return pieces;
  }
};

struct InOnePass : Function<InOnePass> {
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, const Tensor& v,
                        std::vector<Segment> segments, double scale) {
    at::NoGradGuard no_grad;
    Tensor out = at::empty_like(q);
    Tensor lse = at::empty({q.size(0), q.size(1)},
                           q.options().dtype(q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat));
    forest_attention_forward_cpu(q, k, v, segments, scale, out, lse);
    context->save_for_backward({q, k, v, out, lse});
    context->saved_data["scale"] = scale;
    std::vector<int64_t> flat;
    for (const Segment& s : segments) flat.insert(flat.end(), {s.begin, s.end, s.parent});
    context->saved_data["segments"] = flat;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const auto flat = context->saved_data["segments"].toIntVector();
    std::vector<Segment> segments;
    for (size_t i = 0; i + 2 < flat.size(); i += 3)
      segments.push_back({flat[i], flat[i + 1], static_cast<int32_t>(flat[i + 2])});
    Tensor dq = at::empty_like(saved[0]), dk = at::zeros_like(saved[1]), dv = at::zeros_like(saved[2]);
    forest_attention_backward_cpu(saved[0], saved[1], saved[2], segments,
                                  context->saved_data["scale"].toDouble(), saved[3], saved[4],
                                  grads[0].contiguous(), dq, dk, dv);
    return {dq, dk, dv, Tensor(), Tensor()};
  }
};

void check_arguments(const Tensor& q, const Tensor& k, const Tensor& v,
                     const std::vector<Segment>& segments) {
  const int64_t rows = segments.empty() ? 0 : segments.back().end;
  check_shape("forest_attention", "q", q, {rows, -1, -1});
  check_shape("forest_attention", "k", k, {rows, -1, q.size(2)});
  check_shape("forest_attention", "v", v, {rows, k.size(1), q.size(2)});
  if (k.size(1) == 0 || q.size(1) % k.size(1) != 0)
    throw std::invalid_argument("[forest_attention] expected heads a multiple of kv_heads, got " +
                                std::to_string(q.size(1)) + " and " + std::to_string(k.size(1)));
}

}  // namespace

Tensor forest_attention_by_pieces(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const std::vector<Segment>& segments, double scale) {
  check_arguments(q, k, v, segments);
  return ByPieces::apply(q.contiguous(), k.contiguous(), v.contiguous(), attention_pieces(segments), scale);
}

Tensor forest_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                        const std::vector<Segment>& segments, double scale) {
  const at::ScalarType type = q.scalar_type();
  const bool own_kernel = q.is_cpu() && (type == at::kFloat || type == at::kDouble || type == at::kBFloat16);
  if (!own_kernel) return forest_attention_by_pieces(q, k, v, segments, scale);
  check_arguments(q, k, v, segments);
  return InOnePass::apply(q.contiguous(), k.contiguous(), v.contiguous(), segments, scale);
}

}  // namespace keel
