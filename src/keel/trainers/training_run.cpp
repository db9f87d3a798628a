#include "keel/trainers/training_run.h"

#include <ATen/Version.h>
#include <torch/csrc/api/include/torch/version.h>

#include <algorithm>
#include <cmath>

#include "keel/base/error.h"
#include "keel/base/memory.h"
#include "keel/base/products.h"
#include "keel/base/version.h"
#include "keel/models/model_folder.h"
#include "keel/tensors/accelerator.h"
#include "keel/tensors/matrix_rate.h"
#include "keel/trainers/memory_plan.h"

namespace keel {
namespace {

namespace fs = std::filesystem;

// Where a run lies and how often it saves do not change its bits.
Json identifying_options(TrainingOptions& options) {
  Json json = options_json(options);
  for (const char* name : {"output", "save_every"}) json.erase(name);
  return json;
}

RunIdentity identity_of(const std::string& stage, TrainingOptions& options, std::vector<fs::path> inputs) {
  return {stage, identifying_options(options), std::move(inputs),
          machine_json(options.compute.chosen_device())};
}

// A run whose numbers have left the reals is over: nothing after it is a result.
void check_finite(const Json& metrics, int64_t step, const std::string& stage) {
  for (const auto& [name, value] : metrics.items())
    if ((name.ends_with("loss") || name.ends_with("gradient_norm")) && value.is_number() &&
        !std::isfinite(value.get<double>()))
      throw Error(stage, "expected a finite " + name + " in step " + std::to_string(step) +
                             ", got NaN or infinity: use a lower --learning-rate");
}

std::string percent(double share) {
  return std::to_string(std::lround(100 * share)) + " %";
}

// "rollout 31 %, update 60 %"
std::string phases_text(const PhaseTimes& times, double seconds) {
  std::string text;
  for (const PhaseTimes::Phase& phase : times.phases())
    text += (text.empty() ? "" : ", ") + phase.name + " " + percent(phase.seconds / seconds);
  return text;
}

std::string model_card(const std::string& stage, const Json& summary) {
  std::string text = "# A model trained by Keel\n\nStage: " + stage +
                     ". Options, seed and inputs: `manifest.json` of its run.\n\n";
  text += "| figure | value |\n|---|---|\n";
  for (const auto& [name, value] : summary.items()) text += "| " + name + " | " + json_text(value) + " |\n";
  return text;
}

}  // namespace

Json machine_json(at::Device device) {
  Json machine = {{"keel", kVersion},
                  {"libtorch", TORCH_VERSION},
                  {"instruction_set", at::get_cpu_capability()},
                  {"threads", at::get_num_threads()}};
  if (!device.is_cpu()) machine["device"] = device_name(device);
  return machine;
}

void copy_weights(const Model& from, const Model& to) {
  at::NoGradGuard no_grad;
  const auto source = from.parameters(), target = to.parameters();
  for (size_t i = 0; i < target.size(); ++i) target[i].value.copy_(source[i].value);
}

void Selection::offer(double score, int64_t at_step, const Model& model) {
  if (step > 0 && score >= best) return;
  best = score;
  step = at_step;
  weights.clear();
  for (const Parameter& parameter : model.parameters()) weights.push_back(parameter.value.detach().clone());
}

void Selection::restore(const Model& model) const {
  at::NoGradGuard no_grad;
  const auto parameters = model.parameters();
  for (size_t i = 0; i < weights.size(); ++i) parameters[i].value.copy_(weights[i]);
}

void Selection::visit(Archive& archive, const Model& model) {
  archive("selection.best", best);
  archive("selection.step", step);
  if (step == 0) return;
  const auto parameters = model.parameters();
  weights.resize(parameters.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!weights[i].defined()) weights[i] = at::zeros_like(parameters[i].value.detach());
    archive("selection." + parameters[i].name, weights[i]);
  }
}

TrainingRun::TrainingRun(const std::string& stage, TrainingOptions& options,
                         const std::vector<fs::path>& inputs, int64_t total_steps,
                         std::vector<SavedModel> models, std::function<void(Archive&)> visit)
    : stage_(stage),
      folder_(options.output, identity_of(stage, options, inputs)),
      models_(std::move(models)),
      visit_(std::move(visit)),
      total_steps_(total_steps),
      save_every_(options.save_every),
      device_(models_.front().model->decoder.device()),
      times_([device = device_] { synchronize(device); }) {
  if (folder_.finished()) return;
  resume(folder_.latest_checkpoint().value_or(0));
  matrix_rate_ = matrix_rate(models_.front().model->precision, device_);
  progress_.emplace(stage, "step", total_steps, first_step_);
  progress_->compare_with(matrix_rate_);
  products_before_ = products_counted();
  step_began_ = std::chrono::steady_clock::now();
}

void TrainingRun::plan_memory(int64_t more) {
  if (device_.is_cpu()) planned_memory_ = keel::plan_memory(more);
}

void TrainingRun::resume(int64_t step) {
  folder_.rewind(step);
  first_step_ = step;
  if (step == 0) return;
  const fs::path checkpoint = folder_.checkpoint(step);
  for (const SavedModel& saved : models_)
    copy_weights(load_model(checkpoint / saved.folder, saved.model->decoder.embedding().scalar_type()),
                 *saved.model);
  ArchiveReader reader(checkpoint);
  visit_(reader);
}

void TrainingRun::write(const fs::path& folder) {
  for (const SavedModel& saved : models_) {
    for (const Parameter& parameter : saved.model->parameters())
      if (!parameter.value.detach().isfinite().all().item().toBool())
        throw Error(stage_, "expected finite weights, got NaN or infinity in " + parameter.name +
                                ": use a lower --learning-rate");
    fs::create_directories(folder / saved.folder);
    save_model(*saved.model, folder / saved.folder);
  }
}

Json TrainingRun::timing(double seconds, int64_t tokens) {
  const double reached = (products_counted() - products_before_) / seconds;
  matrix_rate_ = std::max(matrix_rate_, reached);  // where other work disturbed its measuring
  progress_->compare_with(matrix_rate_);
  Json row = {{"tokens_per_second", static_cast<double>(tokens) / seconds},
              {"matrix_rate_share", reached / matrix_rate_}};
  for (const PhaseTimes::Phase& phase : times_.phases()) row[phase.name] = phase.seconds / seconds;
  row["peak_memory_gb"] = static_cast<double>(peak_resident_bytes()) / 1e9;
  if (planned_memory_ > 0) row["planned_memory_gb"] = static_cast<double>(planned_memory_) / 1e9;
  return row;
}

void TrainingRun::end_step(int64_t step, int64_t tokens, Json metrics, std::string_view note) {
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - step_began_).count();
  step_began_ = now;
  check_finite(metrics, step + 1, stage_);
  Json row = {{"seconds", seconds}, {"tokens", tokens}, {"timing", timing(seconds, tokens)}};
  row.update(metrics);
  folder_.log(step + 1, row);
  tokens_ += tokens;
  progress_->count_tokens(tokens_);
  progress_->update(step + 1, phases_text(times_, seconds) + "  " + std::string(note));
  times_.clear();
  products_before_ = products_counted();
  const bool last = step + 1 >= total_steps_, due = save_every_ > 0 && (step + 1) % save_every_ == 0;
  if (last || (!due && !interrupt_requested())) return;
  save(step + 1);
  throw_if_interrupted();
}

void TrainingRun::save(int64_t steps_done) {
  folder_.save_checkpoint(steps_done, [&](const fs::path& folder) {
    write(folder);
    ArchiveWriter archive;
    visit_(archive);
    archive.write(folder);
  });
}

void TrainingRun::finish(const Json& summary) {
  folder_.finish([&](const fs::path& folder) {
    write(folder);
    write_file_atomically(folder / "README.md", model_card(stage_, summary));
  });
}

}  // namespace keel
