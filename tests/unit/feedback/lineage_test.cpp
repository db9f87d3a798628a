#include "keel/feedback/lineage.h"

#include <gtest/gtest.h>

#include "keel/base/files.h"
#include "keel/feedback/training_rows.h"
#include "temporary_folder.h"

namespace keel::feedback {
namespace {

class Lineage : public testing::Test {
 protected:
  void SetUp() override {
    prompt_ = store_->add_prompt({.text = "Hello?"});
    for (const char* text : {"Good day!", "What?", "Hm."})
      completions_.push_back(store_->add_completion({.prompt = prompt_, .passage = {.text = text}}));
    rank("a", anna_, 0, 1);
    rank("b", anna_, 1, 2);
    rank("c", ben_, 0, 2);
    write_training_rows(*store_, {.last_event = store_->last_event()}, rows_, {});
  }
  Receipt rank(const std::string& key, int64_t who, size_t better, size_t worse,
               std::optional<int64_t> corrects = {}) {
    return store_->submit({.annotator = who,
                           .prompt = prompt_,
                           .completions = {completions_[better], completions_[worse]},
                           .ranks = {1, 2},
                           .corrects = corrects},
                          key);
  }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_ = open_store(folder_ / "feedback.db", Access::create);
  const int64_t anna_ = store_->add_annotator({.name = "anna"}),
                ben_ = store_->add_annotator({.name = "ben"});
  int64_t prompt_ = 0;
  std::vector<int64_t> completions_;
  const std::filesystem::path rows_ = folder_ / "reward.rows.jsonl";
};

TEST_F(Lineage, LeadsFromRowsToWhoJudgedAndWhatBecameOfIt) {
  rank("d", anna_, 2, 1, store_->judgement_of_key("b")->receipt.judgement);
  store_->redact("completion", completions_[2], "a name in it", "the person");
  const std::vector<Origin> origins = lineage(*store_, rows_);
  ASSERT_EQ(origins.size(), 3U);
  EXPECT_EQ(origins[1].key, "b");
  EXPECT_EQ(origins[1].annotator, "anna");
  EXPECT_EQ(origins[1].type, "ranking");
  EXPECT_TRUE(origins[1].known && origins[1].corrected && origins[1].redacted);
  EXPECT_TRUE(origins[0].known && !origins[0].corrected && !origins[0].redacted);
  EXPECT_TRUE(origins[2].redacted && !origins[2].corrected);
  const Json found = lineage_json(origins);
  EXPECT_EQ(found["corrected"], 1);
  EXPECT_EQ(found["redacted"], 2);
  EXPECT_EQ(found["annotators"][0]["name"], "anna");
  EXPECT_EQ(found["annotators"][0]["judgements"], 2);
  EXPECT_NE(lineage_text(origins).find("1 that were corrected since"), std::string::npos);
}

TEST_F(Lineage, SaysWhatAnotherStoreDoesNotKnow) {
  const auto other = open_store(folder_ / "other.db", Access::create);
  const std::vector<Origin> origins = lineage(*other, rows_);
  ASSERT_EQ(origins.size(), 3U);
  EXPECT_FALSE(origins[0].known);
  EXPECT_EQ(lineage_json(origins)["unknown"], 3);
}

TEST_F(Lineage, RefusesRowsThatComeFromNoStore) {
  const auto rows = folder_.write("rows.jsonl", R"({"prompt":"a","chosen":"b","rejected":"c"})"
                                                "\n");
  EXPECT_THROW(lineage(*store_, rows), Error);
}

TEST_F(Lineage, FindsARunsRowsAndSeesThatTheyChanged) {
  const auto write_run = [&](const std::string& hash) {
    std::filesystem::create_directories(folder_ / "run" / "final");
    const Json manifest = {{"options", {{"data", rows_.string()}}}, {"inputs", {{rows_.string(), hash}}}};
    folder_.write("run/manifest.json", json_text(manifest));
  };
  write_run(sha256_of_file(rows_));
  EXPECT_EQ(rows_of_run(folder_ / "run"), rows_);
  EXPECT_EQ(rows_of_run(folder_ / "run" / "final/"), rows_);
  write_run("another");
  EXPECT_THROW(rows_of_run(folder_ / "run"), Error);
  EXPECT_THROW(rows_of_run(folder_ / "nowhere"), Error);
}

}  // namespace
}  // namespace keel::feedback
