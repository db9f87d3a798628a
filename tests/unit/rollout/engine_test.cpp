#include <gtest/gtest.h>

#include <cmath>

#include "keel/models/model_folder.h"
#include "keel/rollout/cpu_engine.h"
#include "tensors/dense_reference.h"
#include "tensors/golden_tensors.h"
#include "test_data.h"

namespace keel {
namespace {

using namespace testing_reference;

const std::vector<std::string> kModels = {"llama_untied", "llama_rope3", "gpt2", "qwen2"};
constexpr int64_t kPages = 12;

// Two sequences of unequal length, token by token as a sampler would: first their beginnings together, then
// one row of each at a time, the second starting later. Returns the logits of every row, (rows, vocabulary).
Tensor decoded(Engine& engine, int64_t vocabulary) {
  const std::vector<std::vector<int32_t>> pages = {{3, 0, 7}, {5, 2}};
  const std::vector<int64_t> beginnings = {19, 6}, lengths = {40, 21};
  std::vector<Tensor> logits;
  const auto row = [&](size_t sequence, int64_t position) {
    return EngineRow{(11 * position + 5 * static_cast<int64_t>(sequence) + 3) % vocabulary, position,
                     pages[sequence], true};
  };
  const auto run = [&](const std::vector<EngineRow>& rows) {
    std::vector<Tensor> found(rows.size());
    engine.run(rows, [&](size_t i, std::span<const float> values) {
      found[i] = at::from_blob(const_cast<float*>(values.data()), {vocabulary}, at::kFloat).clone();
    });
    logits.insert(logits.end(), found.begin(), found.end());
  };
  std::vector<EngineRow> rows;
  for (size_t s = 0; s < 2; ++s)
    for (int64_t i = 0; i < beginnings[s]; ++i) rows.push_back(row(s, i));
  run(rows);
  for (int64_t i = 0; i < 21; ++i) {
    rows = {row(0, beginnings[0] + i)};
    if (beginnings[1] + i < lengths[1]) rows.push_back(row(1, beginnings[1] + i));
    run(rows);
  }
  return at::stack(logits);
}

TEST(CpuEngine, EqualsThePlainOneAtEveryLevel) {
  for (const std::string& name : kModels) {
    Model model = load_model(golden("models/" + name));
    const int64_t vocabulary = model.config().vocabulary;
    const Tensor plain = decoded(*make_plain_engine(model, kPages), vocabulary);
    for (const DecodeKernels* kernels : decode_kernel_levels()) {
      model.precision = Precision::float32;
      EXPECT_LT(largest_difference(decoded(*make_cpu_engine(model, kPages, *kernels), vocabulary), plain),
                1e-4)
          << name << " " << kernels->level;
      model.precision = Precision::bfloat16;
      const Tensor rough = decoded(*make_cpu_engine(model, kPages, *kernels), vocabulary);
      const Tensor error = rough.log_softmax(-1) - plain.log_softmax(-1);
      EXPECT_LT(error.abs().mean().item().toDouble(), 0.02) << name << " " << kernels->level;
      EXPECT_GT(error.abs().max().item().toDouble(), 0) << name << " " << kernels->level;
    }
  }
}

// A row's logits do not depend on the rows beside it: to the bit.
TEST(CpuEngine, RowsAreIndependentOfTheirBatch) {
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    Model model = load_model(golden("models/llama_untied"));
    model.precision = precision;
    const std::vector<int32_t> pages = {0, 1};
    for (const DecodeKernels* kernels : decode_kernel_levels()) {
      Tensor alone, together;
      const auto engine = make_cpu_engine(model, kPages, *kernels);
      const auto into = [](Tensor& logits, size_t wanted) {
        return [&logits, wanted](size_t row, std::span<const float> values) {
          if (row == wanted)
            logits = at::from_blob(const_cast<float*>(values.data()), {static_cast<int64_t>(values.size())},
                                   at::kFloat)
                         .clone();
        };
      };
      for (int64_t i = 0; i < 20; ++i) {
        const EngineRow row{i + 2, i, pages, true};
        engine->run(std::span(&row, 1), into(alone, 0));
      }
      std::vector<EngineRow> rows;
      for (int64_t i = 0; i < 20; ++i) rows.push_back({i + 2, i, pages, true});
      engine->run(rows, into(together, 19));
      EXPECT_TRUE(alone.equal(together)) << kernels->level;
    }
  }
}

TEST(CpuEngine, ACopiedPageIsRead) {
  const Model model = load_model(golden("models/llama_untied"));
  const auto engine = make_engine(model, kPages);
  const std::vector<int32_t> first = {0, 1}, second = {0, 4};
  std::vector<EngineRow> prompt;
  for (int64_t i = 0; i < 19; ++i) prompt.push_back({i + 1, i, first, false});
  engine->run(prompt, [](size_t, std::span<const float>) {});
  engine->copy_page(1, 4);
  std::vector<std::vector<float>> logits(2);
  const std::vector<EngineRow> rows = {{9, 19, first, true}, {9, 19, second, true}};
  engine->run(rows, [&](size_t row, std::span<const float> values) {
    logits[row].assign(values.begin(), values.end());
  });
  EXPECT_EQ(logits[0], logits[1]);
}

}  // namespace
}  // namespace keel
