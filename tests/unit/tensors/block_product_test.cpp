// The products that kernels are made of, against matmul, with and without the processor's own.
#include "keel/tensors/block_product.h"

#include <gtest/gtest.h>

#include "keel/tensors/simd.h"
#include "tensors/dense_reference.h"

namespace keel {
namespace {

using namespace testing_reference;

template <class T>
Tensor pack(const Tensor& b, bool by_columns) {
  const Tensor source = by_columns ? b.t().contiguous() : b.contiguous();
  Tensor packed = at::zeros({(b.size(0) + kPair<T> - 1) / kPair<T> * kPair<T>, b.size(1)}, b.options());
  const auto pack_it = by_columns ? &pack_by_columns<T> : &pack_by_rows<T>;
  pack_it(source.const_data_ptr<T>(), source.size(1), source.size(0), source.size(1), packed.data_ptr<T>());
  return packed;
}

template <class T>
void compare(at::ScalarType type, double tolerance) {
  for (const auto& [m, n, k] :
       {std::tuple{16, 64, 64}, {1, 5, 2}, {48, 32, 64}, {7, 96, 10}, {64, 64, 128}}) {
    const Tensor a = normal_tensor({m, k}, 3).to(type), b = normal_tensor({k, n}, 4).to(type);
    const Tensor wanted = a.to(at::kDouble).matmul(b.to(at::kDouble));
    for (const bool by_columns : {false, true})
      for (const bool add : {false, true})
        for (const bool plain : {false, true}) {
          Tensor c = at::ones({m, n}, at::kFloat);
          const ProductShape shape{m, n, k, k, n, n};
          const Tensor packed = pack<T>(b, by_columns);
          using Product = void (*)(const ProductShape&, const T*, const T*, float*, bool);
          const Product product =
              plain ? static_cast<Product>(&block_product_plain) : static_cast<Product>(&block_product);
          product(shape, a.const_data_ptr<T>(), packed.const_data_ptr<T>(), c.data_ptr<float>(), add);
          EXPECT_LT(largest_difference(c, wanted + (add ? 1 : 0)), tolerance)
              << m << " " << n << " " << k << " by_columns " << by_columns << " add " << add << " plain "
              << plain;
        }
  }
}

// What decoding does with the values of a block of keys; the plain product must not differ in the last bit.
template <class T>
void add_after_summing(at::ScalarType type) {
  const Tensor a = normal_tensor({7, 64}, 3).to(type),
               b = pack<T>(normal_tensor({64, 96}, 4).to(type), false);
  for (const auto product :
       {static_cast<void (*)(const ProductShape&, const T*, const T*, float*, bool)>(&block_product_plain),
        static_cast<void (*)(const ProductShape&, const T*, const T*, float*, bool)>(&block_product)}) {
    const ProductShape shape{7, 96, 64, 64, 96, 96};
    Tensor alone = at::empty({7, 96}, at::kFloat), added = normal_tensor({7, 96}, 5, at::kFloat);
    const Tensor before = added.clone();
    product(shape, a.const_data_ptr<T>(), b.const_data_ptr<T>(), alone.data_ptr<float>(), false);
    product(shape, a.const_data_ptr<T>(), b.const_data_ptr<T>(), added.data_ptr<float>(), true);
    EXPECT_TRUE(added.equal(alone + before));
  }
}

TEST(BlockProduct, AddsWhatWasSummedFromZero) {
  add_after_summing<float>(at::kFloat);
  add_after_summing<c10::BFloat16>(at::kBFloat16);
}

TEST(BlockProduct, Float32EqualsMatmul) {
  compare<float>(at::kFloat, 1e-5 * 8);
}
TEST(BlockProduct, BFloat16EqualsMatmulOfTheRoundedNumbers) {
  compare<c10::BFloat16>(at::kBFloat16, 1e-5 * 8);
}

TEST(VectorExp, IsExpToTwoUnitsInTheLastPlace) {
  for (double x = -87; x < 88; x += 0.00731) {
    const auto single = static_cast<float>(x);
    EXPECT_NEAR(vector_exp(single) / std::exp(static_cast<double>(single)), 1.0, 2.4e-7) << x;
  }
  EXPECT_LT(vector_exp(-1e30F), 1e-37F);
}

TEST(BFloat16, RoundsToNearestEvenAsLibtorchDoes) {
  const Tensor x = normal_tensor({4096}, 5, at::kFloat) * 100;
  const Tensor wanted = x.to(at::kBFloat16);
  for (int64_t i = 0; i < 4096; ++i)
    EXPECT_EQ(float_to_bfloat16(x.const_data_ptr<float>()[i]), wanted.const_data_ptr<at::BFloat16>()[i].x);
  EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(std::nanf("")))));
}

}  // namespace
}  // namespace keel
