#include "keel/models/average.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "keel/models/model_folder.h"
#include "test_data.h"

namespace keel {
namespace {

TEST(Average, EveryWeightIsTheMeanOfTheModels) {
  const Model language = load_model(golden("models/llama_untied"));
  std::vector<Model> models;
  for (const uint64_t seed : {1u, 2u, 3u}) models.push_back(with_scalar_head(language, seed));
  for (size_t i = 0; i < 3; ++i) {
    models[i].head.shift = static_cast<double>(i);
    models[i].decoder.embedding().add_(static_cast<double>(i * i));
  }
  const Model mean = average_models(models);
  const std::vector<Parameter> means = mean.parameters();
  for (size_t p = 0; p < means.size(); ++p) {
    const auto of = [&](size_t i) { return models[i].parameters()[p].value; };
    EXPECT_LT((means[p].value - (of(0) + of(1) + of(2)) / 3).abs().max().item().toDouble(), 1e-6)
        << means[p].name;
  }
  EXPECT_DOUBLE_EQ(mean.head.shift, 1.0);
  EXPECT_EQ(mean.head.pad_id, models[0].head.pad_id);
}

TEST(Average, LeavesTheModelsAndATiedHeadAsTheyAre) {
  const std::vector<Model> models = {load_model(golden("models/llama_tied")),
                                     load_model(golden("models/llama_tied"))};
  const Tensor before = models[0].decoder.embedding().clone();
  const Model mean = average_models(models);
  mean.decoder.embedding().zero_();
  EXPECT_TRUE(models[0].decoder.embedding().equal(before));
  EXPECT_TRUE(mean.head.weight.is_same(mean.decoder.embedding()));
}

TEST(Average, RefusesModelsThatDiffer) {
  const Model untied = load_model(golden("models/llama_untied"));
  for (const Model& other : {load_model(golden("models/gpt2")), load_model(golden("models/llama_tied")),
                             with_scalar_head(untied, 1)})
    EXPECT_THROW((void)average_models(std::vector{clone_model(untied), clone_model(other)}), Error);
}

}  // namespace
}  // namespace keel
