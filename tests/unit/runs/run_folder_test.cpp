#include "keel/runs/run_folder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "keel/base/error.h"
#include "keel/runs/tensorboard.h"
#include "test_data.h"

namespace keel {
namespace {

RunIdentity identity(int64_t seed = 1) {
  return {"sft", {{"seed", seed}, {"steps", 4}}, {}, {{"threads", 2}}};
}

TEST(RunFolder, AnotherRunsFolderIsRefusedWithTheFirstDifference) {
  const TemporaryFolder folder;
  RunFolder first(folder.path() / "run", identity());
  EXPECT_NO_THROW(RunFolder(folder.path() / "run", identity()));
  try {
    RunFolder other(folder.path() / "run", identity(2));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("expected options.seed 1"), std::string::npos) << error.what();
  }
  std::ofstream(folder.path() / "stray") << "x";
  EXPECT_THROW(RunFolder(folder.path(), identity()), Error);
}

TEST(RunFolder, InputsAreKnownByTheirContent) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "data", "a");
  RunIdentity with_input = identity();
  with_input.inputs = {folder.path() / "data"};
  RunFolder first(folder.path() / "run", with_input);
  write_file_atomically(folder.path() / "data", "b");
  EXPECT_THROW(RunFolder(folder.path() / "run", with_input), Error);
}

TEST(RunFolder, RewindDropsRowsBeyondTheCheckpointAndCutLines) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "run";
  {
    RunFolder run(path, identity());
    for (int64_t step = 1; step <= 3; ++step) run.log(step, {{"loss", step == 2 ? std::nan("") : 0.5}});
    run.sample(3, {{"text", "x"}});
    run.save_checkpoint(2, [](const std::filesystem::path& f) { write_file_atomically(f / "w", "2"); });
  }
  std::ofstream(path / "metrics.jsonl", std::ios::app) << "{\"step\":4,\"lo";
  RunFolder again(path, identity());
  EXPECT_EQ(again.latest_checkpoint(), 2);
  again.rewind(2);
  EXPECT_EQ(read_file(path / "metrics.jsonl"), "{\"step\":1,\"loss\":0.5}\n{\"step\":2,\"loss\":null}\n");
  EXPECT_EQ(read_file(path / "samples.jsonl"), "");
  const size_t events = event_file_start(0).size() + event_record({{"step", 1}, {"loss", 0.5}}, 0).size() +
                        event_record({{"step", 2}, {"loss", nullptr}}, 0).size();
  EXPECT_EQ(read_file(path / "events.out.tfevents.keel").size(), events);
}

TEST(RunFolder, OldCheckpointsAndAtTheEndAllOfThemAreRemoved) {
  const TemporaryFolder folder;
  RunFolder run(folder.path() / "run", identity());
  const auto write = [](const std::filesystem::path& f) { write_file_atomically(f / "w", "x"); };
  for (int64_t step = 1; step <= 3; ++step) run.save_checkpoint(step, write);
  EXPECT_EQ(run.latest_checkpoint(), 3);
  EXPECT_FALSE(std::filesystem::exists(run.checkpoint(2)));
  EXPECT_FALSE(run.finished());
  run.finish(write);
  EXPECT_TRUE(run.finished());
  EXPECT_FALSE(run.latest_checkpoint());
}

}  // namespace
}  // namespace keel
