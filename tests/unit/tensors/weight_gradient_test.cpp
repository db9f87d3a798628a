#include "keel/tensors/weight_gradient.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensors/dense_reference.h"

namespace keel {
namespace {

using namespace testing_reference;

// Sums of exact products in float32: odd numbers of rows, tiles cut on both sides, more rows than are packed
// at once, and a part of a wider matrix.
TEST(WeightGradient, IsAddedAsFloat64Says) {
  for (const auto& [rows, out, in] :
       std::vector<std::array<int64_t, 3>>{{1, 64, 64}, {33, 130, 100}, {64, 7, 300}, {2100, 66, 65}})
    for (const auto type : {at::kBFloat16, at::kFloat}) {
      SCOPED_TRACE(rows);
      const Tensor dy = normal_tensor({rows, out + 9}, 1, at::kFloat).to(type).narrow(1, 3, out),
                   x = normal_tensor({rows, in}, 2, at::kFloat).to(type),
                   before = normal_tensor({out, in}, 3, at::kFloat);
      const Tensor wanted = before.to(at::kDouble) + dy.to(at::kDouble).t().matmul(x.to(at::kDouble));
      const double tolerance = (type == at::kFloat ? 2e-6 : 1e-6) * wanted.abs().max().item().toDouble();
      const Tensor got = before.clone(), plain = before.clone();
      add_weight_gradient(got, dy, x);
      EXPECT_LT(largest_difference(got, wanted), tolerance);
      add_weight_gradient_plain(plain, dy.to(at::kFloat), x.to(at::kFloat));
      EXPECT_LT(largest_difference(plain, wanted), 2 * tolerance);
      add_weight_gradient(got, dy, x);
      EXPECT_LT(largest_difference(got, 2 * wanted - before), 4 * tolerance);
      const Tensor fresh = at::full_like(before, std::nan(""));
      add_weight_gradient(fresh, dy, x, true);
      EXPECT_LT(largest_difference(fresh, wanted - before.to(at::kDouble)), 2 * tolerance);
    }
}

}  // namespace
}  // namespace keel
