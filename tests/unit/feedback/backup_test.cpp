#include "keel/feedback/backup.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "keel/base/files.h"
#include "keel/feedback/store.h"
#include "temporary_folder.h"

namespace keel::feedback {
namespace {

TEST(Backup, IsAStoreOfOneMomentWhileOthersWrite) {
  TemporaryFolder folder;
  const auto store = open_store(folder / "feedback.db", Access::create);
  const int64_t prompt = store->add_prompt({.text = "p"}), who = store->add_annotator({.name = "anna"});
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0;
  std::thread writer([&] {
    while (!stop) {
      store->submit({.annotator = who, .prompt = prompt, .type = JudgementType::comment, .text = "c"},
                    std::to_string(written));
      ++written;
    }
  });
  while (written < 20) std::this_thread::yield();
  const int before = written;
  back_up(folder / "feedback.db", folder / "copy.db");
  const int after = written + 1;  // one may be under way
  stop = true;
  writer.join();
  const auto copy = open_store(folder / "copy.db", Access::write);
  EXPECT_GE(copy->size().judgements, before);
  EXPECT_LE(copy->size().judgements, after);
  EXPECT_EQ(copy->identity(), store->identity());
  EXPECT_FALSE(std::filesystem::exists(folder / "copy.db-journal"));
}

TEST(Backup, ReplacesTheLastOneWholeOrNotAtAll) {
  TemporaryFolder folder;
  {
    const auto store = open_store(folder / "feedback.db", Access::create);
    store->add_prompt({.text = "p"});
  }
  folder.write("copy.db", "what was there");
  back_up(folder / "feedback.db", folder / "copy.db");
  EXPECT_EQ(open_store(folder / "copy.db", Access::read)->size().prompts, 1);
  const std::string good = read_file(folder / "copy.db");
  folder.write("other", "no store");
  EXPECT_THROW(back_up(folder / "other", folder / "copy.db"), Error);
  EXPECT_THROW(back_up(folder / "missing.db", folder / "copy.db"), Error);
  EXPECT_THROW(back_up(folder / "feedback.db", folder / "nowhere/copy.db"), Error);
  EXPECT_THROW(back_up("postgresql://localhost/x", folder / "copy.db"), UsageError);
  EXPECT_EQ(read_file(folder / "copy.db"), good);
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(folder / "copy.db").parent_path()))
    EXPECT_EQ(entry.path().string().find(".part-"), std::string::npos) << entry.path();
}

}  // namespace
}  // namespace keel::feedback
