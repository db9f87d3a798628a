// Ouyang et al. 2022, section 3.5: every prompt's K(K-1)/2 comparisons are one element of the batch, its
// completions one pass over a shared prompt. Rows with a label train the same head as a classifier, rows with
// numbers by their squared error.
#include "keel/trainers/reward_update.h"

#include <algorithm>
#include <functional>

#include "keel/algorithms/preference_loss.h"
#include "keel/algorithms/regression_loss.h"

namespace keel {
namespace {

// A micro-batch that is being learned from.
struct Piece {
  std::span<const Example* const> examples;
  const JudgedBatch& input;
  const Role role;
  const Tensor hidden;
  const double whole;  // element_weight of the batch
};

// A loss, and what to measure of it behind its way back: a figure that is read waits for the device.
struct Objective {
  Tensor loss;
  std::function<void(RewardMeasure&)> note;
};

// Weights of the rows over `whole`: (rows), where `like` is.
Tensor row_weights(const Piece& piece, const Tensor& like, double whole) {
  std::vector<double> weights;
  for (const Example* example : piece.examples) weights.push_back(example->judgement.weight / whole);
  return at::tensor(weights, at::kDouble).to(like.device(), like.scalar_type());
}

// The rewards of a piece's completions: (R).
struct Rewards {
  Tensor told;      // to those who judged them
  Tensor everyone;  // to everyone else; undefined: the same
};

// The head's label of whose judgement each completion is: (R) int64; 0 for people that it does not know.
Tensor own_labels(const Piece& piece, const RewardSettings& settings) {
  std::vector<int64_t> labels;
  for (size_t i = 0; i < piece.examples.size(); ++i) {
    const std::string& name = person_of(*piece.examples[i], settings.person);
    const auto known = std::ranges::lower_bound(settings.people, name);
    const bool found = known != settings.people.end() && *known == name;
    labels.insert(labels.end(), static_cast<size_t>(piece.input.first[i + 1] - piece.input.first[i]),
                  found ? known - settings.people.begin() + 1 : 0);
  }
  return at::tensor(labels, at::kLong);
}

Rewards rewards_of(const Piece& piece, const RewardSettings& settings) {
  if (settings.people.empty()) return {scalar_values(piece.role, piece.hidden, piece.input.last_rows), {}};
  const Tensor labels = label_values(piece.role, piece.hidden, piece.input.last_rows);
  const Tensor everyone = labels.select(1, 0), own = own_labels(piece, settings).to(labels.device());
  const Tensor personal = labels.gather(1, own.unsqueeze(1)).squeeze(1);
  return {everyone + personal * own.gt(0), everyone.detach()};
}

// How often a person's own label turned an order right, and wrong. advantage, of_everyone: (P).
void count_turned(RewardMeasure& measured, const Tensor& advantage, const Tensor& of_everyone) {
  const Tensor with = advantage.gt(0), without = of_everyone.gt(0);
  measured.gained += with.logical_and(without.logical_not()).sum().item().toLong();
  measured.lost += without.logical_and(with.logical_not()).sum().item().toLong();
}

// advantage (P): better - worse, or the logit with the label's sign; weight (P): in the loss.
void count_right(RewardMeasure& measured, const Tensor& advantage, const Tensor& weight) {
  const Tensor right = advantage.gt(0);
  measured.right += right.sum().item().toLong();
  measured.judged += advantage.numel();
  measured.margin += advantage.sum().item().toDouble();
  measured.right_weight += (weight * right).sum().item().toDouble();
  measured.judged_weight += weight.sum().item().toDouble();
}

Objective comparison_objective(const Piece& piece, const RewardSettings& settings) {
  const Rewards rewards = rewards_of(piece, settings);
  const ComparisonBatch pairs = comparison_batch(piece.examples, piece.input, piece.whole, settings.pairs);
  const auto beside = [&](const Tensor& t) {
    return t.to(rewards.told.device(), rewards.told.scalar_type());
  };
  const auto at = [&](const Tensor& values, const Tensor& rows) {
    return values.index_select(0, rows.to(values.device()));
  };
  const auto lead = [&](const Tensor& values) { return at(values, pairs.better) - at(values, pairs.worse); };
  const Tensor weight = beside(pairs.weight),
               margin = pairs.margin.defined() ? beside(pairs.margin) : Tensor(),
               of_everyone = rewards.everyone.defined() ? lead(rewards.everyone) : Tensor();
  const auto note = [advantage = lead(rewards.told).detach(), of_everyone, weight,
                     strict = pairs.strict](RewardMeasure& measured) {
    const Tensor counted = strict.to(weight.device()), strictly = advantage.masked_select(counted);
    count_right(measured, strictly, weight.masked_select(counted));
    if (of_everyone.defined()) count_turned(measured, strictly, of_everyone.masked_select(counted));
  };
  return {preference_loss(at(rewards.told, pairs.better), at(rewards.told, pairs.worse), margin, weight),
          note};
}

// The label asked of every token, the later the more (Cobbe et al. 2021, section 4.2: verifiers that judge
// every token of a solution learn longer before they overfit than those that judge its end).
Tensor every_token_loss(const Piece& piece, const Tensor& label) {
  const TokenRows tokens = token_rows(piece.input);
  const Tensor owner = tokens.completion.to(label.device());
  const Tensor weight = tokens.weight.to(label.device(), label.scalar_type()) / piece.whole *
                        row_weights(piece, label, 1).index_select(0, owner);
  return label_loss(scalar_values(piece.role, piece.hidden, tokens.row), label.index_select(0, owner),
                    weight);
}

Objective label_objective(const Piece& piece, const RewardSettings& settings) {
  const Rewards rewards = rewards_of(piece, settings);
  const Tensor& logits = rewards.told;
  std::vector<float> labels;
  for (const Example* example : piece.examples) labels.push_back(*example->label ? 1.0F : 0.0F);
  const Tensor label = at::tensor(labels).to(logits.device(), logits.scalar_type()),
               weight = row_weights(piece, logits, piece.whole);
  const Tensor at_last = label_loss(logits, label, weight);
  const auto note = [advantage = (logits * (2 * label - 1)).detach(), weight, sign = 2 * label - 1,
                     everyone = rewards.everyone](RewardMeasure& measured) {
    count_right(measured, advantage, weight);
    if (everyone.defined()) count_turned(measured, advantage, everyone * sign);
  };
  const double every_token = settings.every_token;
  if (every_token == 0) return {at_last, note};
  return {(1 - every_token) * at_last + every_token * every_token_loss(piece, label), note};
}

// What the rows of a piece say of one dimension.
struct Wanted {
  Tensor rows, target;  // (V)
};

Wanted wanted_of(const Piece& piece, const std::string& dimension, const Tensor& like) {
  std::vector<int64_t> rows;
  std::vector<double> target;
  for (size_t i = 0; i < piece.examples.size(); ++i) {
    const auto& values = piece.examples[i]->judgement.values;
    const auto found = values.find(dimension);
    if (found == values.end()) continue;
    rows.push_back(static_cast<int64_t>(i));
    target.push_back(found->second);
  }
  return {at::tensor(rows, at::kLong).to(like.device()),
          at::tensor(target, at::kDouble).to(like.device(), like.scalar_type())};
}

void append(std::vector<double>& to, const Tensor& from) {
  const Tensor wide = from.to(at::kCPU, at::kDouble).contiguous();
  to.insert(to.end(), wide.const_data_ptr<double>(), wide.const_data_ptr<double>() + wide.numel());
}

// One label of the head for each dimension; a row that says nothing of one does not teach it. Of a single
// label the reward itself is asked, its shift included.
Objective value_objective(const Piece& piece, const std::vector<std::string>& dimensions) {
  const Tensor& last = piece.input.last_rows;
  const Tensor read = dimensions.size() == 1 ? scalar_values(piece.role, piece.hidden, last).unsqueeze(1)
                                             : label_values(piece.role, piece.hidden, last);
  const Tensor weights = row_weights(piece, read, piece.whole);
  Tensor loss;
  std::vector<std::pair<Tensor, Tensor>> kept;
  for (size_t d = 0; d < dimensions.size(); ++d) {
    const Wanted wanted = wanted_of(piece, dimensions[d], read);
    const Tensor value = read.select(1, static_cast<int64_t>(d)).index_select(0, wanted.rows);
    const Tensor part = regression_loss(value, wanted.target, weights.index_select(0, wanted.rows));
    loss = loss.defined() ? loss + part : part;
    kept.emplace_back(value.detach(), wanted.target);
  }
  const auto note = [kept](RewardMeasure& measured) {
    for (size_t d = 0; d < kept.size(); ++d) {
      append(measured.values[d], kept[d].first);
      append(measured.targets[d], kept[d].second);
    }
  };
  return {loss, note};
}

Objective objective_of(const Piece& piece, const RewardSettings& settings) {
  if (settings.judged == Judged::comparisons) return comparison_objective(piece, settings);
  if (settings.judged == Judged::labels) return label_objective(piece, settings);
  return value_objective(piece, settings.dimensions);
}

Tensor rows_read(const JudgedBatch& input, bool every_token) {
  return every_token ? distinct_rows({input.last_rows, token_rows(input).row})
                     : distinct_rows({input.last_rows});
}

}  // namespace

const std::string& person_of(const Example& example, Person person) {
  static const std::string nobody;
  if (person == Person::nobody) return nobody;
  return person == Person::annotator ? example.judgement.annotator : example.judgement.group;
}

double element_weight(std::span<const Example* const> batch, const RewardSettings& settings) {
  if (settings.judged == Judged::comparisons) return pair_weight(batch, settings.pairs.ties);
  double sum = 0;
  for (const Example* example : batch) {
    const Judgement& judgement = example->judgement;
    const bool numbers = settings.judged == Judged::values;
    sum += numbers ? judgement.weight * static_cast<double>(judgement.values.size()) : judgement.weight;
  }
  return sum;
}

void RewardMeasure::add(const RewardMeasure& other) {
  loss += other.loss;
  margin += other.margin;
  right += other.right;
  judged += other.judged;
  gained += other.gained;
  lost += other.lost;
  right_weight += other.right_weight;
  judged_weight += other.judged_weight;
  tokens += other.tokens;
  values.resize(std::max(values.size(), other.values.size()));
  targets.resize(values.size());
  for (size_t d = 0; d < other.values.size(); ++d) {
    values[d].insert(values[d].end(), other.values[d].begin(), other.values[d].end());
    targets[d].insert(targets[d].end(), other.targets[d].begin(), other.targets[d].end());
  }
}

RewardMeasure learn_judgements(const Model& model, std::span<const Example* const> batch,
                               const RewardSettings& settings, const Dropout* keyed) {
  RewardMeasure measured;
  measured.values.resize(settings.dimensions.size());
  measured.targets.resize(settings.dimensions.size());
  const double whole = element_weight(batch, settings);
  const Role role = role_of(model);
  for (const auto& part : micro_batches(batch, settings.limits)) {
    JudgedBatch input = judged_batch(part, model.head.pad_id);
    std::optional<Dropout> dropout;
    if (keyed != nullptr)
      dropout = Dropout{keyed->rate, keyed->seed, keyed->step, std::move(input.documents)};
    const Tensor hidden = forest_hidden(*role.trunk, input.forest,
                                        {role.precision, dropout ? &*dropout : nullptr,
                                         rows_read(input, settings.every_token > 0), role.recompute});
    const Objective objective = objective_of({part, input, role, hidden, whole}, settings);
    if (objective.loss.requires_grad()) objective.loss.backward();
    measured.loss += objective.loss.item().toDouble();
    objective.note(measured);
    measured.tokens += input.forest.size();
  }
  if (settings.personal_penalty > 0 && model.head.weight.requires_grad() && at::GradMode::is_enabled()) {
    const Tensor own = model.head.weight.narrow(0, 1, std::ssize(settings.people));
    (settings.personal_penalty * own.square().sum()).backward();
  }
  return measured;
}

Json reward_metrics(const RewardMeasure& measured, const RewardSettings& settings) {
  if (settings.judged == Judged::values) return Json::object();
  const auto judged = static_cast<double>(std::max<int64_t>(1, measured.judged));
  Json row = {{"accuracy", static_cast<double>(measured.right) / judged},
              {"margin", measured.margin / judged}};
  if (settings.weighted) row["weighted_accuracy"] = weighted_accuracy(measured);
  return row;
}

double weighted_accuracy(const RewardMeasure& measured) {
  return measured.judged == 0 ? 0 : measured.right_weight / measured.judged_weight;
}

}  // namespace keel
