#include "keel/tensors/panels.h"

#include <gtest/gtest.h>

#include "tensors/dense_reference.h"

namespace keel {
namespace {

using namespace testing_reference;

// Rows, outputs, inputs: one row, odd numbers of inputs, panels that are cut, sums that are taken in parts,
// and rows of more than one task.
const std::vector<std::array<int64_t, 3>> kShapes = {
    {1, 64, 64}, {7, 130, 33}, {100, 65, 100}, {301, 20, 2500}};

struct Case {
  Tensor x, dy, weight, bias;
  Case(const std::array<int64_t, 3>& shape, at::ScalarType type)
      : x(normal_tensor({shape[0], shape[2] + 8}, 1, at::kFloat).to(type).narrow(1, 3, shape[2])),
        dy(normal_tensor({shape[0], shape[1]}, 2, at::kFloat).to(type)),
        weight(normal_tensor({shape[1], shape[2]}, 3, at::kFloat)),
        bias(normal_tensor({shape[1]}, 4, at::kFloat)) {}
};

Tensor exact(const Tensor& x) {
  return x.to(at::kDouble);
}

// Half a unit in the last place of a bfloat16, which is all that rounding the result may lose.
double tolerance(at::ScalarType type, const Tensor& wanted) {
  return (type == at::kFloat ? 2e-6 : 0x1p-8) * wanted.abs().max().item().toDouble();
}

TEST(Panels, MultiplyAsFloat64Says) {
  for (const auto type : {at::kFloat, at::kBFloat16})
    for (const auto& shape : kShapes) {
      SCOPED_TRACE(std::string(c10::toString(type)) + " " + std::to_string(shape[2]));
      const Case c(shape, type);
      const Tensor weight = exact(c.weight.to(type)), there = exact(c.x).matmul(weight.t()) + exact(c.bias),
                   back = exact(c.dy).matmul(weight);
      EXPECT_LT(largest_difference(linear_product(c.x, c.weight, c.bias), there), tolerance(type, there));
      EXPECT_LT(largest_difference(linear_product_plain(c.x, c.weight, c.bias), there),
                2 * tolerance(type, there));
      EXPECT_LT(largest_difference(linear_product_back(c.dy, c.weight), back), tolerance(type, back));
      EXPECT_LT(largest_difference(linear_product_back_plain(c.dy, c.weight), back), tolerance(type, back));
      // A frozen model holds its weights in the products' format.
      EXPECT_TRUE(
          linear_product(c.x, c.weight.to(type), c.bias).equal(linear_product(c.x, c.weight, c.bias)));
      EXPECT_TRUE(linear_product_back(c.dy, c.weight.to(type)).equal(linear_product_back(c.dy, c.weight)));
    }
}

template <class T>
void expect_sums(const std::array<int64_t, 3>& shape) {
  const auto type = c10::CppTypeToScalarType<T>::value;
  const Case c(shape, type);
  const auto panels = Panels<T>::of_rows(c.weight);
  Tensor sums = at::full({shape[0], panels.padded_outputs()}, 7.0, at::kFloat);
  panels.multiply_rows(c.x.template const_data_ptr<T>(), c.x.stride(0), shape[0],
                       sums.template data_ptr<float>());
  const Tensor wanted = exact(c.x).matmul(exact(c.weight.to(type)).t());
  EXPECT_LT(largest_difference(sums.narrow(1, 0, shape[1]), wanted), tolerance(at::kFloat, wanted));
}

TEST(Panels, SumsAreFloat32) {
  for (const auto& shape : kShapes) {
    SCOPED_TRACE(shape[2]);
    expect_sums<float>(shape);
    expect_sums<c10::BFloat16>(shape);
  }
}

TEST(Panels, ARowDoesNotDependOnThoseBesideIt) {
  for (const auto type : {at::kFloat, at::kBFloat16})
    for (const auto& shape : kShapes) {
      const Case c(shape, type);
      const Tensor all = linear_product(c.x, c.weight, c.bias);
      for (const int64_t row : {int64_t{0}, shape[0] / 2, shape[0] - 1})
        EXPECT_TRUE(linear_product(c.x.narrow(0, row, 1), c.weight, c.bias).equal(all.narrow(0, row, 1)));
    }
}

}  // namespace
}  // namespace keel
