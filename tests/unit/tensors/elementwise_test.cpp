// Each pass against ATen's operators and their autograd in float64, from the same rounded numbers.
#include "keel/tensors/elementwise.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/silu.h>
#include <gtest/gtest.h>

#include "tensors/dense_reference.h"

namespace keel {
namespace {

using namespace testing_reference;

constexpr int64_t kRows = 300, kWidth = 48;  // several tasks, and a width that no vector divides

template <class T>
class Elementwise : public testing::Test {
 public:
  static constexpr bool kNarrow = std::is_same_v<T, c10::BFloat16>;
  static constexpr at::ScalarType kType = kNarrow ? at::kBFloat16 : at::kFloat;
  static constexpr double kTolerance = kNarrow ? 1e-2 : 2e-6;  // of the largest value

  static Tensor values(std::vector<int64_t> shape, uint64_t seed) {
    return normal_tensor(std::move(shape), seed).to(kType).to(at::kDouble);
  }
  static void expect_close(const Tensor& got, const Tensor& wanted, const char* what) {
    const double size = wanted.abs().max().template item<double>();
    EXPECT_LT(largest_difference(got.to(at::kDouble), wanted.detach()), kTolerance * size) << what;
  }
};

using Formats = testing::Types<float, c10::BFloat16>;
TYPED_TEST_SUITE(Elementwise, Formats);

template <class T>
void check_norm(NormKind kind, at::ScalarType type) {
  using Test = Elementwise<T>;
  const bool layer = kind == NormKind::layer;
  Tensor x = normal_tensor({kRows, kWidth}, 1).to(at::kFloat).to(at::kDouble).requires_grad_(true);
  Tensor added = Test::values({kRows, kWidth}, 2).requires_grad_(true);
  Tensor weight = normal_tensor({kWidth}, 3).to(at::kFloat).to(at::kDouble).requires_grad_(true);
  Tensor bias = normal_tensor({kWidth}, 4).to(at::kFloat).to(at::kDouble).requires_grad_(true);
  const Tensor sum = x + added;
  const Tensor normed =
      layer ? at::layer_norm(sum, {kWidth}, weight, bias, 1e-5) : at::rms_norm(sum, {kWidth}, weight, 1e-5);
  const Tensor dnormed = Test::values({kRows, kWidth}, 5),
               dsum = normal_tensor({kRows, kWidth}, 6).to(at::kFloat).to(at::kDouble);
  const auto gradients_wanted =
      gradients(at::cat({normed, sum}), at::cat({dnormed, dsum}),
                layer ? std::vector{x, added, weight, bias} : std::vector{x, added, weight});

  const auto single = [](const Tensor& t) { return t.detach().to(at::kFloat).contiguous(); };
  const auto format = [&](const Tensor& t) { return t.detach().to(type).contiguous(); };
  const Tensor w = single(weight), b = single(bias), xs = single(x), a = format(added);
  const NormShape shape{
      kind, kRows, kWidth, 1e-5F, w.const_data_ptr<float>(), layer ? b.const_data_ptr<float>() : nullptr};
  Tensor got_sum = at::empty({kRows, kWidth}), got = at::empty({kRows, kWidth}, type);
  Tensor inverse = at::empty({kRows}), mean = at::zeros({kRows});
  norm_forward<T>(shape, xs.const_data_ptr<float>(), a.const_data_ptr<T>(), got_sum.data_ptr<float>(),
                  got.data_ptr<T>(), inverse.data_ptr<float>(), layer ? mean.data_ptr<float>() : nullptr);
  Test::expect_close(got_sum, sum, "sum");
  Test::expect_close(got, normed, "normed");

  const Tensor narrow_d = format(dnormed);
  Tensor got_dsum = single(dsum).clone(), dadded = at::empty({kRows, kWidth}, type);
  Tensor dweight = at::ones({kWidth}), dbias = at::ones({kWidth});
  norm_backward<T>(shape, got_sum.const_data_ptr<float>(), inverse.const_data_ptr<float>(),
                   layer ? mean.const_data_ptr<float>() : nullptr, narrow_d.const_data_ptr<T>(),
                   got_dsum.data_ptr<float>(), dadded.data_ptr<T>(), dweight.data_ptr<float>(),
                   layer ? dbias.data_ptr<float>() : nullptr);
  Test::expect_close(got_dsum, gradients_wanted[0], "dsum");
  Test::expect_close(dadded, gradients_wanted[1], "dadded");
  Test::expect_close(dweight - 1, gradients_wanted[2], "dweight");
  if (layer) Test::expect_close(dbias - 1, gradients_wanted[3], "dbias");
}

TYPED_TEST(Elementwise, RmsNormWithItsResidualSum) {
  check_norm<TypeParam>(NormKind::rms, TestFixture::kType);
}
TYPED_TEST(Elementwise, LayerNormWithItsResidualSum) {
  check_norm<TypeParam>(NormKind::layer, TestFixture::kType);
}

TYPED_TEST(Elementwise, RotationTurnsTheHalvesOfEachHeadAndBack) {
  constexpr int64_t kHeads = 3, kHalf = 5, kStride = 40;
  const Tensor x = this->values({kRows, kStride}, 1),
               angles = normal_tensor({7, kHalf}, 2).to(at::kFloat).to(at::kDouble);
  const Tensor positions = at::arange(kRows, at::kLong).remainder(7);
  const Tensor cosines = angles.cos().to(at::kFloat), sines = angles.sin().to(at::kFloat);
  Tensor got = x.to(this->kType).contiguous();
  const RotaryShape shape{kRows,
                          kStride,
                          kHeads,
                          2 * kHalf,
                          positions.const_data_ptr<int64_t>(),
                          cosines.const_data_ptr<float>(),
                          sines.const_data_ptr<float>()};
  rotate_in_place(shape, got.template data_ptr<TypeParam>(), false);
  const Tensor heads = x.slice(1, 0, kHeads * 2 * kHalf).view({kRows, kHeads, 2, kHalf});
  const Tensor c = angles.cos().index_select(0, positions).unsqueeze(1),
               s = angles.sin().index_select(0, positions).unsqueeze(1);
  const Tensor first = heads.select(2, 0), second = heads.select(2, 1);
  const Tensor turned =
      at::stack({first * c - second * s, second * c + first * s}, 2).view({kRows, kHeads * 2 * kHalf});
  this->expect_close(got.slice(1, 0, kHeads * 2 * kHalf), turned, "turned");
  EXPECT_TRUE(got.slice(1, kHeads * 2 * kHalf).to(at::kDouble).equal(x.slice(1, kHeads * 2 * kHalf)));
  rotate_in_place(shape, got.template data_ptr<TypeParam>(), true);
  this->expect_close(got, x, "turned back");
}

TYPED_TEST(Elementwise, Activations) {
  const Tensor exact = this->values({kRows, kWidth}, 1) * 4, x = exact.to(this->kType);
  const std::vector<std::pair<Activation, Tensor>> cases = {{Activation::silu, at::silu(exact)},
                                                            {Activation::relu, at::relu(exact)},
                                                            {Activation::gelu, at::gelu(exact)},
                                                            {Activation::gelu_tanh, at::gelu(exact, "tanh")}};
  for (const auto& [activation, wanted] : cases) {
    Tensor got = at::empty_like(x);
    activate_forward(activation, false, kRows, kWidth, x.template const_data_ptr<TypeParam>(),
                     got.template data_ptr<TypeParam>());
    this->expect_close(got, wanted, "activated");
  }
}

TYPED_TEST(Elementwise, GatedSilu) {
  Tensor gate_up = (this->values({kRows, 2 * kWidth}, 1) * 4).requires_grad_(true);
  const Tensor wanted = at::silu(gate_up.slice(1, 0, kWidth)) * gate_up.slice(1, kWidth);
  const Tensor d = this->values({kRows, kWidth}, 2);
  const auto dwanted = gradients(wanted, d, {gate_up});
  const Tensor x = gate_up.detach().to(this->kType).contiguous(), dinner = d.to(this->kType);
  Tensor inner = at::empty({kRows, kWidth}, this->kType), dx = at::empty_like(x);
  activate_forward(Activation::silu, true, kRows, kWidth, x.template const_data_ptr<TypeParam>(),
                   inner.template data_ptr<TypeParam>());
  gated_silu_backward(kRows, kWidth, x.template const_data_ptr<TypeParam>(),
                      dinner.template const_data_ptr<TypeParam>(), dx.template data_ptr<TypeParam>());
  this->expect_close(inner, wanted, "inner");
  this->expect_close(dx, dwanted[0], "gradient");
}

}  // namespace
}  // namespace keel
