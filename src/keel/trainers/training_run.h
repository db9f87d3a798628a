// What all training loops share and none should repeat: the run's folder, going on after a stop, checkpoints,
// the metrics row of a step, the progress line, and the choice of the best weights.
#pragma once

#include "keel/base/interrupt.h"
#include "keel/base/phase_times.h"
#include "keel/base/progress.h"
#include "keel/models/model.h"
#include "keel/runs/run_folder.h"
#include "keel/trainers/training_options.h"

namespace keel {

/// A model of a checkpoint and of final/: in the folder itself ("") or in one beside it ("value").
struct SavedModel {
  std::string folder;
  Model* model;
};

/// The weights of the best validation score so far; empty until one was offered.
struct Selection {
  double best = 0;
  int64_t step = 0;  // 0: none yet
  std::vector<Tensor> weights;

  /// Keeps a copy of the model's weights when `score` (lower is better) beats the best one.
  void offer(double score, int64_t at_step, const Model& model);
  /// Puts the kept weights into the model, if there are any.
  void restore(const Model& model) const;
  void visit(Archive& archive, const Model& model);
};

class TrainingRun {
 public:
  /// Opens or makes the run of `options`; a checkpoint that is there is loaded into the models and, by
  /// `visit`, into the rest of the trainer's state.
  TrainingRun(const std::string& stage, TrainingOptions& options,
              const std::vector<std::filesystem::path>& inputs, int64_t total_steps,
              std::vector<SavedModel> models, std::function<void(Archive&)> visit);

  /// Says in every row's `timing` what memory the run is thought to take at most, `more` bytes from now on,
  /// beside what it took. Errors: [memory] when that does not fit (memory_plan.h). On another device than the
  /// processor nothing is planned.
  void plan_memory(int64_t more);
  bool finished() const { return folder_.finished(); }
  /// Steps counted from 0; the first one that is still to be done.
  int64_t first_step() const { return first_step_; }

  /// Logs a finished step (as step + 1), shows progress, and writes a checkpoint when one is due or a stop
  /// was asked for. `tokens` is what the step processed. Throws Interrupted after the checkpoint of a stop.
  /// A row's `seconds` and `timing` (tokens a second, share of the matrix rate, share of each phase) are all
  /// that differs between two runs of one command.
  void end_step(int64_t step, int64_t tokens, Json metrics, std::string_view note);
  /// Does the part of a step that changes no state yet; a stop in it saves the `step` steps that are done.
  template <class Work>
  auto saving_if_stopped(int64_t step, const Work& work) {
    try {
      return work();
    } catch (const Interrupted&) {
      if (step > 0) save(step);
      throw;
    }
  }
  /// Where the time of the step goes; end_step logs each phase's share and begins anew.
  PhaseTimes& times() { return times_; }
  /// An extra row for this step in samples.jsonl.
  void sample(int64_t step, Json row) { folder_.sample(step + 1, std::move(row)); }
  /// Writes final/ with a model card made from `summary`.
  void finish(const Json& summary);
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  void resume(int64_t step);
  void save(int64_t steps_done);
  void write(const std::filesystem::path& folder);
  Json timing(double seconds, int64_t tokens);

  std::string stage_;
  RunFolder folder_;
  std::vector<SavedModel> models_;
  std::function<void(Archive&)> visit_;
  int64_t total_steps_, save_every_, first_step_ = 0, tokens_ = 0;  // tokens: since this program began
  std::optional<Progress> progress_;
  std::chrono::steady_clock::time_point step_began_;
  at::Device device_;
  PhaseTimes times_;
  int64_t planned_memory_ = 0;
  double matrix_rate_ = 0,
         products_before_ = 0;  // operations a second; products_counted() when the step began
};

/// Program version, libtorch, instruction set, threads, and a device that is not the processor: what equal
/// bits depend on.
Json machine_json(at::Device device);

/// Copies weights between models of one shape.
void copy_weights(const Model& from, const Model& to);

}  // namespace keel
