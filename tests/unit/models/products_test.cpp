// What a pass multiplies, against a count by hand of one small model.
#include <gtest/gtest.h>

#include "keel/base/products.h"
#include "keel/models/model.h"
#include "keel/rollout/engine.h"
#include "keel/tensors/matrix_rate.h"

namespace keel {
namespace {

DecoderConfig small() {
  DecoderConfig c;
  c.vocabulary = 10, c.hidden = 8, c.layers = 2, c.heads = 4, c.kv_heads = 2, c.head_size = 2, c.mlp = 6;
  c.max_positions = 16;
  return c;
}

double counted(const std::function<void()>& work) {
  const double before = products_counted();
  work();
  return products_counted() - before;
}

// One token, one layer: qkv 2 · 8 · 16, out 2 · 8 · 8, MLP 2 · 3 · 8 · 6; four heads of two see a key: 4 · 8.
constexpr double kQkv = 256, kBehind = 128 + 288, kKey = 32;

TEST(ProductCount, OfAForest) {
  const Model model = new_model(family_named("llama", "test"), small(), HeadKind::language, 1);
  ForestBuilder builder;
  const int32_t root = builder.add(std::vector<int64_t>{1, 2});
  builder.add(std::vector<int64_t>{3}, root);
  builder.add(std::vector<int64_t>{4}, root);
  const Forest forest = builder.build();
  const double keys = 1 + 2 + 3 + 3, once = 2 * (4 * (kQkv + kBehind) + kKey * keys);
  const auto pass = [&](const Tensor& needed) {
    return counted([&] { forest_hidden(model.decoder, forest, {.needed = needed}); });
  };
  set_trainable(model, false);
  EXPECT_EQ(pass({}), once);
  EXPECT_EQ(pass(at::tensor({2, 3}, at::kLong)), once - 2 * kBehind);  // the last layer's, of two rows
  set_trainable(model, true);
  EXPECT_EQ(pass({}), 3 * once);
  const Tensor hidden = at::ones({3, 8}), tokens = at::zeros({3}, at::kLong);
  EXPECT_EQ(counted([&] { linear_logprob(hidden, model.head.weight, tokens); }), 6.0 * 3 * 8 * 10);
}

TEST(ProductCount, OfDecodedRows) {
  const std::vector<int32_t> pages = {0};
  const std::vector<EngineRow> rows = {{1, 4, pages, false}, {1, 5, pages, true}};
  EXPECT_EQ(decode_products(small(), rows), 2 * (2 * (kQkv + kBehind) + kKey * (5 + 6)) + 2 * 8 * 10);
}

TEST(MatrixRate, IsOfThisMachine) {
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    EXPECT_GT(matrix_rate(precision, at::kCPU), 1e8);
    EXPECT_LT(matrix_rate(precision, at::kCPU), 1e15);
    EXPECT_EQ(matrix_rate(precision, at::kCPU), matrix_rate(precision, at::kCPU));
  }
}

}  // namespace
}  // namespace keel
