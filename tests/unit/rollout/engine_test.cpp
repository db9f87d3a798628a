#include <gtest/gtest.h>

#include <cmath>

#include "keel/models/model_folder.h"
#include "keel/rollout/cpu_engine.h"
#include "keel/rollout/decode_step.h"
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

// What decoded() asks for, by a full pass over both sequences.
Tensor by_full_pass(const Model& model) {
  ForestBuilder builder;
  const std::vector<int64_t> beginnings = {19, 6}, lengths = {40, 21};
  for (int64_t s = 0; s < 2; ++s) {
    std::vector<int64_t> tokens;
    for (int64_t p = 0; p < lengths[static_cast<size_t>(s)]; ++p)
      tokens.push_back((11 * p + 5 * s + 3) % model.config().vocabulary);
    builder.add(tokens);
  }
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < 19; ++i) rows.push_back(i);
  for (int64_t i = 0; i < 6; ++i) rows.push_back(40 + i);
  for (int64_t i = 0; i < 21; ++i) {
    rows.push_back(19 + i);
    if (6 + i < 21) rows.push_back(40 + 6 + i);
  }
  at::NoGradGuard no_grad;
  const Tensor hidden = forest_hidden(model.decoder, builder.build(), {}).cpu();
  return hidden.index_select(0, at::tensor(rows, at::kLong)).matmul(model.head.weight.cpu().t());
}

TEST(PlainEngine, EqualsAFullPass) {
  for (const std::string& name : kModels) {
    for (const auto& [type, tolerance] : {std::pair(at::kFloat, 1e-4), std::pair(at::kDouble, 2e-6)}) {
      const Model model = on_device(load_model(golden("models/" + name), type), test_device());
      const Tensor logits = decoded(*make_plain_engine(model, kPages), model.config().vocabulary);
      EXPECT_LT(largest_difference(logits, by_full_pass(model)), tolerance) << name;
    }
    Model model = on_device(load_model(golden("models/" + name)), test_device());
    const Tensor wanted = by_full_pass(model).log_softmax(-1);
    model.precision = Precision::bfloat16;
    const Tensor rough =
        decoded(*make_plain_engine(model, kPages), model.config().vocabulary).log_softmax(-1);
    EXPECT_LT((rough - wanted).abs().mean().item().toDouble(), 0.02) << name;
    EXPECT_GT(largest_difference(rough, wanted), 0) << name;
  }
}

// A step has no value in it that decides what is done: it runs over tensors that have none. So it waits for
// nothing, mixes no devices, and can be recorded.
TEST(PlainEngine, AStepDependsOnNoValue) {
  for (const std::string& name : kModels)
    for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
      Model model = on_device(load_model(golden("models/" + name)), at::kMeta);
      model.precision = precision;
      PagedCache cache(model, kPages);
      const Decoder decoder = with_matrices_in(precision, model.decoder);
      DecodeStep step(decoder, model.head.weight.to(cache.keys[0].scalar_type()), cache, precision,
                      {.rows = 4, .pages = 2, .logits = true});
      step.run();
      EXPECT_EQ(step.logits().sizes(), (std::vector<int64_t>{4, model.config().vocabulary})) << name;
      EXPECT_TRUE(step.logits().is_meta());
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

using MakeEngine = std::unique_ptr<Engine> (*)(const Model&, int64_t);
class Engines : public testing::TestWithParam<MakeEngine> {};

// Behind a shared prompt that ends within a page a sample goes on in a page of its own; what else the
// prompt's last page holds is not read.
TEST_P(Engines, ASampleBeginsAPageBehindItsPrompt) {
  const Model model = on_device(load_model(golden("models/llama_untied")), test_device());
  const auto engine = GetParam()(model, kPages);
  const auto logits_of = [&](const std::vector<EngineRow>& rows) {
    std::vector<float> logits;
    engine->run(rows, [&](size_t row, std::span<const float> values) {
      if (row == rows.size() - 1) logits.assign(values.begin(), values.end());
    });
    return logits;
  };
  const std::vector<int32_t> whole = {5, 6}, prompt = {0, 1}, sample = {0, 1, 4};
  std::vector<EngineRow> rows;
  for (int64_t i = 0; i < 21; ++i) rows.push_back({i + 1, i, whole, i == 20});
  const std::vector<float> wanted = logits_of(rows);
  rows.clear();
  for (int64_t i = 0; i < 32; ++i) rows.push_back({30 - i % 7, i, prompt, i == 31});
  logits_of(rows);  // what lies in the pages from before
  rows.clear();
  for (int64_t i = 0; i < 19; ++i) rows.push_back({i + 1, i, prompt, i == 18});
  logits_of(rows);
  rows = {{20, 19, sample, false, 19}, {21, 20, sample, true, 19}};
  const std::vector<float> got = logits_of(rows);
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Forms, Engines, testing::Values(&make_engine, &make_plain_engine),
                         [](const auto& form) { return form.index == 0 ? "Fastest" : "Plain"; });

}  // namespace
}  // namespace keel
