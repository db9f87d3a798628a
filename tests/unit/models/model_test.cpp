// Logits equal to transformers', folders in and out, and what a hostile or damaged folder is answered.
#include "keel/models/model.h"

#include <gtest/gtest.h>

#include <fstream>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/models/model_folder.h"
#include "tensors/dense_reference.h"
#include "tensors/golden_tensors.h"
#include "test_data.h"

namespace keel {
namespace {

using namespace testing_reference;

Forest forest_of(const std::vector<std::vector<int64_t>>& rows) {
  ForestBuilder builder;
  for (const auto& row : rows) builder.add(row);
  return builder.build();
}

// All golden rows packed into one forest, in reverse order: neither packing nor order may matter.
struct Packed {
  Forest forest;
  std::vector<Segment> rows;  // by golden index
};

Packed pack_golden_rows(const GoldenTensors& file, int64_t count) {
  std::vector<std::vector<int64_t>> rows;
  for (int64_t i = count - 1; i >= 0; --i) rows.push_back(ids_of(file["ids_" + std::to_string(i)]));
  Packed packed{forest_of(rows), {}};
  packed.rows.assign(packed.forest.segments.rbegin(), packed.forest.segments.rend());
  return packed;
}

class CausalFamilies : public testing::TestWithParam<std::string> {};

TEST_P(CausalFamilies, LogitsEqualTransformers) {
  const GoldenTensors file(golden("models/" + GetParam() + ".safetensors"));
  const Packed packed = pack_golden_rows(file, 4);
  for (const auto& [type, prefix, tolerance] :
       {std::tuple{at::kFloat, "logits_", 1e-4}, std::tuple{at::kDouble, "logits64_", 1e-10}}) {
    const Model model = on_device(load_model(golden("models/" + GetParam()), type), test_device());
    const Tensor logits = forest_hidden(model.decoder, packed.forest, {}).matmul(model.head.weight.t());
    for (size_t i = 0; i < packed.rows.size(); ++i) {
      const Tensor wanted = file[prefix + std::to_string(i)];
      EXPECT_LT(largest_difference(logits.slice(0, packed.rows[i].begin, packed.rows[i].end), wanted),
                tolerance)
          << prefix << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, CausalFamilies,
                         testing::Values("llama_untied", "llama_tied", "llama_rope3", "gpt2", "qwen2"),
                         [](const auto& family) { return family.param; });

class Classifiers : public testing::TestWithParam<std::string> {};

TEST_P(Classifiers, RewardEqualsTransformersLogit) {
  const GoldenTensors file(golden("models/" + GetParam() + ".safetensors"));
  const Packed packed = pack_golden_rows(file, 4);
  const Model model = on_device(load_model(golden("models/" + GetParam())), test_device());
  ASSERT_EQ(model.head.kind, HeadKind::scalar);
  const Tensor hidden = forest_hidden(model.decoder, packed.forest, {});
  for (size_t i = 0; i < packed.rows.size(); ++i) {
    const Tensor reward =
        scalar_values(role_of(model), hidden, at::tensor({packed.rows[i].end - 1}, at::kLong));
    EXPECT_LT(largest_difference(reward[0], file["logits_" + std::to_string(i)][model.head.reward_label]),
              1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Classifiers,
                         testing::Values("llama_reward", "llama_two_labels", "gpt2_reward"),
                         [](const auto& family) { return family.param; });

TEST(TinyStories, LogitsAndLogProbabilitiesEqualTransformers) {
  const auto folder = real_data("weights-tinystories-656k");
  KEEL_NEED_REAL_DATA(folder);
  const GoldenTensors file(golden("tinystories.safetensors"));
  const Packed packed = pack_golden_rows(file, 10);
  const Model model = load_model(folder);
  EXPECT_EQ(model.parameter_count(), 656000);
  const Tensor hidden = forest_hidden(model.decoder, packed.forest, {});
  for (size_t i = 0; i < packed.rows.size(); ++i) {
    const Segment row = packed.rows[i];
    const Tensor logits = hidden.slice(0, row.end - 3, row.end).matmul(model.head.weight.t());
    EXPECT_LT(largest_difference(logits, file["last_logits_" + std::to_string(i)]), 1e-4) << "text " << i;
    const LogProbs got =
        language_logprobs(role_of(model), hidden, at::arange(row.begin, row.end - 1, at::kLong),
                          packed.forest.tokens.slice(0, row.begin + 1, row.end));
    EXPECT_LT(largest_difference(got.logp, file["logps_" + std::to_string(i)]), 1e-4) << "text " << i;
  }
}

TEST(ModelFolder, WhatIsWrittenIsReadToTheBit) {
  for (const std::string name :
       {"llama_untied", "llama_tied", "llama_rope3", "gpt2", "qwen2", "llama_reward", "gpt2_reward"}) {
    const Model model = load_model(golden("models/" + name));
    const TemporaryFolder folder;
    save_model(model, folder.path());
    const SafetensorsFile ours(folder.path() / "model.safetensors"),
        theirs(golden("models/" + name) / "model.safetensors");
    ASSERT_EQ(ours.tensors().size(), theirs.tensors().size()) << name;
    for (const TensorBytes& wanted : theirs.tensors()) {
      const auto found = std::find_if(ours.tensors().begin(), ours.tensors().end(),
                                      [&](const TensorBytes& t) { return t.name == wanted.name; });
      ASSERT_NE(found, ours.tensors().end()) << name << " " << wanted.name;
      EXPECT_EQ(found->shape, wanted.shape);
      EXPECT_TRUE(
          std::equal(found->bytes.begin(), found->bytes.end(), wanted.bytes.begin(), wanted.bytes.end()));
    }
  }
}

// One line that names the file or tensor.
std::string refusal(const std::filesystem::path& folder) {
  try {
    load_model(folder);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ModelFolder, DamagedFoldersAreRefusedByName) {
  const TemporaryFolder folder;
  const auto copy = [&] {
    std::filesystem::copy(
        golden("models/llama_untied"), folder.path(),
        std::filesystem::copy_options::overwrite_existing | std::filesystem::copy_options::recursive);
  };
  EXPECT_NE(refusal(folder.path() / "absent").find("absent"), std::string::npos);
  copy();
  std::filesystem::resize_file(folder.path() / "model.safetensors", 9000);
  EXPECT_NE(refusal(folder.path()).find("model.safetensors"), std::string::npos);
  copy();
  std::string config = read_file(folder.path() / "config.json");
  config.replace(config.find("\"vocab_size\": 97"), 16, "\"vocab_size\": 98");
  write_file_atomically(folder.path() / "config.json", config);
  EXPECT_NE(refusal(folder.path()).find("model.embed_tokens.weight] expected shape [98,32]"),
            std::string::npos);
  copy();
  Model broken = load_model(folder.path());
  broken.decoder.parameters()[3].value.view(-1)[5] = std::numeric_limits<float>::quiet_NaN();
  save_model(broken, folder.path());
  EXPECT_NE(refusal(folder.path()).find("NaN"), std::string::npos);
}

// Half the memory where products run in bfloat16, and not a bit of difference; in float32 nothing is changed.
TEST(Frozen, HoldsTheMatricesInBfloat16AndComputesTheSame) {
  for (const std::string name : {"llama_untied", "llama_tied", "gpt2", "qwen2"})
    for (const Precision precision : {Precision::bfloat16, Precision::float32}) {
      Model model = load_model(golden("models/" + name));
      model.precision = precision;
      const Model held = frozen(clone_model(model));
      ForestBuilder builder;
      builder.add(std::vector<int64_t>{1, 5, 9}, builder.add(std::vector<int64_t>{3, 4}));
      const Forest forest = builder.build();
      const Tensor from = at::arange(4), tokens = forest.tokens.slice(0, 1);
      const auto logp_of = [&](const Model& m) {
        const Tensor hidden = forest_hidden(m.decoder, forest, {.precision = m.precision});
        return language_logprobs(role_of(m), hidden, from, tokens).logp;
      };
      EXPECT_TRUE(logp_of(held).equal(logp_of(model))) << name;
      const auto matrix = held.decoder.blocks()[1].up.weight.scalar_type();
      EXPECT_EQ(matrix, precision == Precision::bfloat16 ? at::kBFloat16 : at::kFloat);
      EXPECT_EQ(held.head.weight.is_same(held.decoder.embedding()), name != "llama_untied");
      EXPECT_EQ(held.head.weight.scalar_type(), name == "llama_untied" ? matrix : at::kFloat);
    }
}

TEST(NewModel, WeightsDependOnTheSeedAlone) {
  const Model golden_model = load_model(golden("models/llama_untied"));
  const Model a = new_model(*golden_model.family, golden_model.config(), HeadKind::language, 1);
  const Model b = new_model(*golden_model.family, golden_model.config(), HeadKind::language, 1);
  const Model c = new_model(*golden_model.family, golden_model.config(), HeadKind::language, 2);
  EXPECT_EQ(largest_difference(a.decoder.embedding(), b.decoder.embedding()), 0);
  EXPECT_GT(largest_difference(a.decoder.embedding(), c.decoder.embedding()), 0);
  EXPECT_NEAR(a.decoder.embedding().std().item().toDouble(), golden_model.config().initializer_range,
              0.05 * golden_model.config().initializer_range);
}

TEST(Dropout, MaskBelongsToTheDocumentNotToTheBatch) {
  const Model model = load_model(golden("models/llama_untied"));
  const Forest both = forest_of({{5, 6, 7}, {8, 9}}), second = forest_of({{8, 9}});
  const Dropout in_both{0.3, 1, 4, {0, 0, 0, 1, 1}}, alone{0.3, 1, 4, {1, 1}}, later{0.3, 1, 5, {1, 1}};
  const Tensor a = forest_hidden(model.decoder, both, {.dropout = &in_both}).slice(0, 3);
  const Tensor b = forest_hidden(model.decoder, second, {.dropout = &alone});
  const Tensor c = forest_hidden(model.decoder, second, {.dropout = &later});
  EXPECT_LT(largest_difference(a, b), 1e-5);
  EXPECT_GT(largest_difference(b, c), 1e-3);
  EXPECT_GT(largest_difference(b, forest_hidden(model.decoder, second, {})), 1e-3);
}

}  // namespace
}  // namespace keel
