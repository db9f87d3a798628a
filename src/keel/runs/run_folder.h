// A run is a folder: manifest.json, metrics.jsonl and the same as TensorBoard's events, samples.jsonl,
// checkpoints/step-N/, final/. Started again with the same command it goes on from its last checkpoint, or
// says that it is done; killed at any moment it loses at most the steps since that checkpoint, and ends with
// the same bits.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "keel/base/files.h"
#include "keel/base/json.h"

namespace keel {

/// What a run was made from. Two runs with equal identity give equal bits.
struct RunIdentity {
  std::string stage;
  Json options;  // all options of the stage, where the run lies and how often it saves left out
  std::vector<std::filesystem::path> inputs;  // files and folders, recorded by SHA-256
  Json machine;                               // program version, libtorch, instruction set, threads
};

class RunFolder {
 public:
  /// Makes the folder and its manifest, or opens the one that is there.
  /// Errors: [folder/manifest.json] the folder belongs to another run, with the first difference named; a
  /// folder that is not a run's and not empty.
  RunFolder(std::filesystem::path path, const RunIdentity& identity);

  bool finished() const;
  /// The step of the newest checkpoint, if any.
  std::optional<int64_t> latest_checkpoint() const;
  std::filesystem::path checkpoint(int64_t step) const;
  std::filesystem::path final_folder() const { return path_ / "final"; }
  const std::filesystem::path& path() const { return path_; }

  /// Drops rows of metrics, events and samples that are beyond a checkpoint. Call once before going on.
  void rewind(int64_t step);
  /// A row of metrics.jsonl and an event; "step" comes first. A value that is not finite is written as null.
  void log(int64_t step, Json metrics);
  /// A row of samples.jsonl.
  void sample(int64_t step, Json row);

  /// Writes checkpoints/step-N/ whole or not at all (rows logged so far are synced first); older ones beyond
  /// `keep` are removed.
  void save_checkpoint(int64_t step, const std::function<void(const std::filesystem::path&)>& write,
                       int64_t keep = 1);
  /// Writes final/ whole or not at all, then removes the checkpoints.
  void finish(const std::function<void(const std::filesystem::path&)>& write);

 private:
  void open_events();
  void sync();

  std::filesystem::path path_;
  std::optional<AppendFile> metrics_, events_, samples_;
};

}  // namespace keel
