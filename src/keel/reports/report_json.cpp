#include "keel/reports/report.h"

namespace keel {
namespace {

Json interval_json(const Interval& interval) {
  return Json::array({interval.low, interval.high});
}

Json estimate_json(const Estimate& estimate) {
  return {{"value", estimate.value},
          {"standard_error", estimate.standard_error},
          {"interval", interval_json(estimate.interval)},
          {"count", estimate.count}};
}

Json estimate_json(const std::optional<Estimate>& estimate) {
  return estimate ? estimate_json(*estimate) : Json(nullptr);
}

Json number_json(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

// A list of any kind through a function for one of its elements.
template <class List, class Convert>
Json list_json(const List& list, Convert convert) {
  Json out = Json::array();
  for (const auto& element : list) out.push_back(convert(element));
  return out;
}

Json pairs_json(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json out = Json::object();
  for (const auto& [name, value] : pairs) out[name] = value;
  return out;
}

Json verdict_json(const ReportData& data) {
  const Verdict verdict = judge(data.comparison);
  Json out = {{"outcome", outcome_name(verdict.outcome)},
              {"sentence", verdict.sentence},
              {"warning", verdict.warning}};
  if (!data.comparison) return out;
  out["before"] = data.comparison->before;
  out["after"] = data.comparison->after;
  out["gold_difference"] = estimate_json(data.comparison->gold_difference);
  out["proxy_difference"] = estimate_json(data.comparison->proxy_difference);
  return out;
}

Json curve_json(const Curve& curve) {
  return {{"name", curve.name},
          {"unit", curve.unit},
          {"note", curve.note},
          {"steps", curve.steps},
          {"values", curve.values},
          {"errors", curve.errors},
          {"start", number_json(curve.start)}};
}

Json frontier_json(const FrontierPoint& point) {
  return {{"label", point.label},
          {"kl", point.kl},
          {"proxy", estimate_json(point.proxy)},
          {"gold", estimate_json(point.gold)}};
}

Json accuracy_json(const Accuracy& accuracy) {
  return {{"name", accuracy.name},
          {"right", accuracy.right},
          {"pairs", accuracy.pairs},
          {"interval", interval_json(wilson(accuracy.right, accuracy.pairs))}};
}

Json bin_json(const ReliabilityBin& bin) {
  return {{"low", bin.low},
          {"high", bin.high},
          {"count", bin.count},
          {"happened", bin.happened},
          {"mean_probability", bin.mean_probability},
          {"frequency", bin.frequency},
          {"interval", interval_json(bin.interval)}};
}

Json calibration_json(const Calibration& calibration) {
  return {{"count", calibration.count},
          {"expected_error", calibration.expected_error},
          {"log_loss", calibration.log_loss},
          {"brier", calibration.brier},
          {"bins", list_json(calibration.bins, bin_json)}};
}

Json table_json(const AccuracyTable& table) {
  return {{"name", table.name}, {"groups", list_json(table.groups, accuracy_json)}};
}

Json length_json(const LengthBias& length) {
  return {{"correlation", number_json(length.correlation)},
          {"model", accuracy_json(length.model)},
          {"shorter", accuracy_json(length.shorter)},
          {"longer", accuracy_json(length.longer)},
          {"gain", estimate_json(length.gain)},
          {"warning", length.warning}};
}

Json ensemble_json(const EnsemblePart& ensemble) {
  return {{"members", list_json(ensemble.members, accuracy_json)},
          {"disagreement", ensemble.disagreement},
          {"unanimous", accuracy_json(ensemble.unanimous)}};
}

Json reward_model_json(const std::optional<RewardModelPart>& part) {
  if (!part) return nullptr;
  return {{"accuracies", list_json(part->accuracies, accuracy_json)},
          {"calibration", part->calibration ? calibration_json(*part->calibration) : Json(nullptr)},
          {"tables", list_json(part->tables, table_json)},
          {"length", part->length ? length_json(*part->length) : Json(nullptr)},
          {"ensemble", part->ensemble ? ensemble_json(*part->ensemble) : Json(nullptr)}};
}

Json arm_json(const Arm& arm) {
  return {{"name", arm.name},
          {"gold", estimate_json(arm.gold)},
          {"proxy", estimate_json(arm.proxy)},
          {"length", estimate_json(arm.length)},
          {"finished", arm.finished},
          {"answers", arm.answers},
          {"distinct_2", number_json(arm.distinct_2)}};
}

Json duel_json(const Duel& duel) {
  return {{"first", duel.first},          {"second", duel.second},
          {"wins", duel.result.wins},     {"ties", duel.result.ties},
          {"losses", duel.result.losses}, {"rate", estimate_json(duel.result.rate)}};
}

Json answer_json(const Answer& answer) {
  return {{"arm", answer.arm},
          {"text", answer.text},
          {"finished", answer.finished},
          {"gold", answer.gold},
          {"proxy", number_json(answer.proxy)}};
}

Json sample_json(const SamplePrompt& sample) {
  return {{"index", sample.index},
          {"prompt", sample.prompt},
          {"answers", list_json(sample.answers, answer_json)}};
}

Json stage_json(const StageRecord& stage) {
  return {{"name", stage.name},
          {"seconds", stage.seconds},
          {"seed", stage.seed},
          {"options", stage.options},
          {"hashes", pairs_json(stage.hashes)}};
}

}  // namespace

Json report_data_json(const ReportData& data) {
  return {{"title", data.title},
          {"made_at", data.made_at},
          {"verdict", verdict_json(data)},
          {"curves", list_json(data.curves, curve_json)},
          {"ppo_frontier", list_json(data.ppo_frontier, frontier_json)},
          {"best_of_n_frontier", list_json(data.best_of_n_frontier, frontier_json)},
          {"reward_model", reward_model_json(data.reward_model)},
          {"arms", list_json(data.arms, arm_json)},
          {"duels", list_json(data.duels, duel_json)},
          {"samples", list_json(data.samples, sample_json)},
          {"sample_choice", data.sample_choice},
          {"gold_judge", data.gold_judge},
          {"limits", limits_of(data)},
          {"simulated_labels", data.simulated_labels},
          {"permuted_labels", data.permuted_labels},
          {"seeds", data.seeds},
          {"stages", list_json(data.stages, stage_json)},
          {"facts", pairs_json(data.facts)}};
}

}  // namespace keel
