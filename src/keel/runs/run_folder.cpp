#include "keel/runs/run_folder.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "keel/base/error.h"
#include "keel/runs/tensorboard.h"

namespace keel {
namespace {

namespace fs = std::filesystem;

Json manifest_of(const RunIdentity& identity) {
  Json inputs = Json::object();
  for (const fs::path& input : identity.inputs)
    if (!input.empty()) inputs[input.string()] = sha256_of_path(input);
  return {{"stage", identity.stage},
          {"options", identity.options},
          {"inputs", inputs},
          {"machine", identity.machine}};
}

// "options.seed": the first member in which two manifests differ.
std::optional<std::string> first_difference(const Json& before, const Json& now,
                                            const std::string& prefix = "") {
  for (const auto& [name, value] : now.items()) {
    const std::string full = prefix.empty() ? name : prefix + "." + name;
    const auto old = before.find(name);
    if (old != before.end() && *old == value) continue;
    if (old != before.end() && old->is_object() && value.is_object()) {
      if (auto inner = first_difference(*old, value, full)) return inner;
      continue;
    }
    return "expected " + full + " " + (old == before.end() ? "absent" : json_text(*old)) +
           " as when this run began, got " + json_text(value);
  }
  return before.size() == now.size() ? std::nullopt
                                     : std::optional(prefix + " has other members than when this run began");
}

std::optional<int64_t> step_of(const fs::path& checkpoint) {
  const std::string name = checkpoint.filename().string();
  constexpr std::string_view kPrefix = "step-";
  int64_t step = 0;
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const auto result = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), step);
  return result.ec == std::errc() && result.ptr == name.data() + name.size() ? std::optional(step)
                                                                             : std::nullopt;
}

std::vector<int64_t> checkpoint_steps(const fs::path& folder) {
  std::vector<int64_t> steps;
  if (fs::is_directory(folder))
    for (const auto& entry : fs::directory_iterator(folder))
      if (const auto step = step_of(entry.path())) steps.push_back(*step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kSamples = "samples.jsonl";
constexpr const char* kEvents = "events.out.tfevents.keel";  // TensorBoard looks for "tfevents"

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Keeps the whole rows up to `step`, and returns them. A line cut by a kill is dropped.
std::vector<Json> keep_rows(const fs::path& path, int64_t step) {
  std::vector<Json> rows;
  if (!fs::exists(path)) return rows;
  std::string kept;
  for_each_line(path, [&](std::string_view text, int64_t) {
    Json row = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!row.is_object() || !row.contains("step") || row["step"].get<int64_t>() > step) return;
    kept += std::string(text) + "\n";
    rows.push_back(std::move(row));
  });
  write_file_atomically(path, kept);
  return rows;
}

// The events of kept rows, as if the time between the runs had not been.
std::string events_of(const std::vector<Json>& rows) {
  const auto seconds = [](const Json& row) { return json_get(row, "seconds", 0.0, kMetrics); };
  double time = seconds_since_1970();
  for (const Json& row : rows) time -= seconds(row);
  std::string events = event_file_start(time);
  for (const Json& row : rows) events += event_record(row, time += seconds(row));
  return events;
}

Json finite_or_null(Json value) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) return nullptr;
  return value;
}

}  // namespace

RunFolder::RunFolder(fs::path path, const RunIdentity& identity) : path_(std::move(path)) {
  const fs::path manifest = path_ / "manifest.json";
  const Json now = manifest_of(identity);
  if (fs::exists(manifest)) {
    if (const auto difference = first_difference(read_json(manifest), now))
      throw Error(manifest.string(), *difference + ": choose another --output, or remove this folder");
    return;
  }
  std::error_code error;
  if (fs::exists(path_) && !fs::is_empty(path_, error))
    throw Error(path_.string(),
                "expected an empty or new folder for --output, got one with other files in it");
  const bool made = fs::create_directories(path_, error);
  if (error) throw Error(path_.string(), "cannot make the folder: " + error.message());
  try {
    write_file_atomically(manifest, json_text(now, 2) + "\n");
  } catch (...) {  // a run that never began leaves no folder
    if (made) fs::remove(path_, error);
    throw;
  }
}

bool RunFolder::finished() const {
  return fs::exists(final_folder());
}

std::optional<int64_t> RunFolder::latest_checkpoint() const {
  const auto steps = checkpoint_steps(path_ / "checkpoints");
  return steps.empty() ? std::nullopt : std::optional(steps.back());
}

fs::path RunFolder::checkpoint(int64_t step) const {
  return path_ / "checkpoints" / ("step-" + std::to_string(step));
}

void RunFolder::rewind(int64_t step) {
  metrics_.reset();
  events_.reset();
  samples_.reset();
  const std::vector<Json> rows = keep_rows(path_ / kMetrics, step);
  if (!rows.empty() || fs::exists(path_ / kEvents)) write_file_atomically(path_ / kEvents, events_of(rows));
  keep_rows(path_ / kSamples, step);
}

void RunFolder::log(int64_t step, Json metrics) {
  Json row = {{"step", step}};
  for (const auto& [name, value] : metrics.items()) row[name] = finite_or_null(value);
  if (!metrics_) metrics_.emplace(path_ / kMetrics);
  if (!events_) open_events();
  metrics_->line(json_text(row));
  events_->bytes(event_record(row, seconds_since_1970()));
}

void RunFolder::open_events() {
  const bool is_new = !fs::exists(path_ / kEvents);
  events_.emplace(path_ / kEvents);
  if (is_new) events_->bytes(event_file_start(seconds_since_1970()));
}

void RunFolder::sample(int64_t step, Json row) {
  Json line = {{"step", step}};
  line.update(row);
  if (!samples_) samples_.emplace(path_ / kSamples);
  samples_->line(json_text(line));
}

void RunFolder::sync() {
  for (auto* file : {&metrics_, &events_, &samples_})
    if (*file) (*file)->sync();
}

void RunFolder::save_checkpoint(int64_t step, const std::function<void(const fs::path&)>& write,
                                int64_t keep) {
  sync();
  AtomicFolder folder(checkpoint(step));
  write(folder.temporary());
  folder.commit();
  const auto steps = checkpoint_steps(path_ / "checkpoints");
  for (size_t i = 0; i + static_cast<size_t>(keep) < steps.size(); ++i) fs::remove_all(checkpoint(steps[i]));
}

void RunFolder::finish(const std::function<void(const fs::path&)>& write) {
  sync();
  AtomicFolder folder(final_folder());
  write(folder.temporary());
  folder.commit();
  fs::remove_all(path_ / "checkpoints");
}

}  // namespace keel
