#include "keel/statistics/dawid_skene.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "keel/base/error.h"

namespace keel {
namespace {

constexpr double kLeast = 1e-10;  // no probability is less: one label never rules a truth out for good

// A label by the places of its names.
struct Place {
  size_t annotator, item, category;
};

Names names_of(std::span<const Label> labels, int64_t Label::*name) {
  std::vector<int64_t> names;
  for (const Label& label : labels) names.push_back(label.*name);
  return Names(std::move(names));
}

Names categories_of(std::span<const Label> labels, const DawidSkeneOptions& options) {
  std::vector<int64_t> names = options.categories;
  for (const Label& label : labels) names.push_back(label.category);
  return Names(std::move(names));
}

// The alternation of Dawid and Skene's two steps.
class Estimation {
 public:
  Estimation(std::span<const Label> labels, const DawidSkeneOptions& options);
  DawidSkene run();

 private:
  void start();
  void learn();                                // confusions and prior from the posterior (2.3, 2.4)
  void learn_confusion(double* counts) const;  // of one annotator, from how often each was each
  void judge();                                // posterior and likelihood from confusions and prior (2.5)
  double normalise(size_t item, double* row) const;
  void fix_gold(size_t item, double* posterior) const;
  size_t size() const { return fit_.categories.size(); }

  const DawidSkeneOptions& options_;
  DawidSkene fit_;
  std::vector<Place> labels_;  // those of an item together
  std::vector<int64_t> gold_;  // the place of each item's category; -1: not known
};

Estimation::Estimation(std::span<const Label> labels, const DawidSkeneOptions& options) : options_(options) {
  const Names annotators = names_of(labels, &Label::annotator), items = names_of(labels, &Label::item),
              categories = categories_of(labels, options);
  fit_.annotators = annotators.sorted(), fit_.items = items.sorted(), fit_.categories = categories.sorted();
  for (const auto& [annotator, item, category] : labels)
    labels_.push_back({annotators.position(annotator), items.position(item), categories.position(category)});
  std::stable_sort(labels_.begin(), labels_.end(),
                   [](const Place& a, const Place& b) { return a.item < b.item; });
  gold_.assign(items.size(), -1);
  for (const auto& [item, category] : options.gold) {
    if (!std::binary_search(fit_.items.begin(), fit_.items.end(), item)) continue;
    if (!std::binary_search(fit_.categories.begin(), fit_.categories.end(), category))
      throw Error("dawid_skene", "expected gold of a category that there is, got " +
                                     std::to_string(category) + " of item " + std::to_string(item));
    gold_[items.position(item)] = static_cast<int64_t>(categories.position(category));
  }
}

void Estimation::fix_gold(size_t item, double* posterior) const {
  if (gold_[item] < 0) return;
  std::fill_n(posterior, size(), 0.0);
  posterior[gold_[item]] = 1;
}

// The shares of the votes.
void Estimation::start() {
  fit_.posterior.assign(fit_.items.size() * size(), 0.0);
  for (const Place& label : labels_) fit_.posterior[label.item * size() + label.category] += 1;
  for (size_t item = 0; item < fit_.items.size(); ++item) {
    double* const row = &fit_.posterior[item * size()];
    double sum = 0;
    for (size_t c = 0; c < size(); ++c) sum += row[c];
    for (size_t c = 0; c < size(); ++c) row[c] /= sum;
    if (options_.against_majority) std::swap(row[0], row[1]);
    fix_gold(item, row);
  }
}

void Estimation::learn_confusion(double* counts) const {
  const size_t n = size();
  double right = options_.smoothing, all = 2 * options_.smoothing;
  for (size_t truth = 0; truth < n; ++truth) {
    double* const row = counts + truth * n;
    double sum = 0;
    for (size_t label = 0; label < n; ++label) {
      right += label == truth ? row[label] : 0, all += row[label];
      row[label] = std::max(row[label] + options_.smoothing, kLeast), sum += row[label];
    }
    for (size_t label = 0; label < n; ++label) row[label] /= sum;
  }
  if (options_.confusion == Confusion::full) return;
  const double accuracy = std::clamp(right / all, kLeast, 1 - kLeast);
  for (size_t truth = 0; truth < n; ++truth)
    for (size_t label = 0; label < n; ++label)
      counts[truth * n + label] = label == truth ? accuracy : (1 - accuracy) / static_cast<double>(n - 1);
}

void Estimation::learn() {
  const size_t n = size();
  fit_.confusion.assign(fit_.annotators.size() * n * n, 0.0);
  for (const auto& [annotator, item, label] : labels_)
    for (size_t truth = 0; truth < n; ++truth)
      fit_.confusion[(annotator * n + truth) * n + label] += fit_.probability(item, truth);
  for (size_t a = 0; a < fit_.annotators.size(); ++a) learn_confusion(&fit_.confusion[a * n * n]);
  fit_.prior.assign(n, options_.even_prior ? 1 / static_cast<double>(n) : 0.0);
  if (options_.even_prior) return;
  for (size_t i = 0; i < fit_.posterior.size(); ++i)
    fit_.prior[i % n] += fit_.posterior[i] / static_cast<double>(fit_.items.size());
  for (double& share : fit_.prior) share = std::max(share, kLeast);
}

// Log-probabilities of an item and each truth, made into those of the truths given the labels.
double Estimation::normalise(size_t item, double* row) const {
  const size_t n = size();
  const double largest = *std::max_element(row, row + n);
  double sum = 0;
  for (size_t c = 0; c < n; ++c) sum += std::exp(row[c] - largest);
  const double log_sum = largest + std::log(sum), of_labels = gold_[item] < 0 ? log_sum : row[gold_[item]];
  for (size_t c = 0; c < n; ++c) row[c] = std::exp(row[c] - log_sum);
  fix_gold(item, row);
  return of_labels;
}

void Estimation::judge() {
  const size_t n = size();
  std::vector<double> logs(fit_.confusion.size());
  for (size_t i = 0; i < logs.size(); ++i) logs[i] = std::log(fit_.confusion[i]);
  for (size_t i = 0; i < fit_.posterior.size(); ++i) fit_.posterior[i] = std::log(fit_.prior[i % n]);
  for (const auto& [annotator, item, label] : labels_)
    for (size_t truth = 0; truth < n; ++truth)
      fit_.posterior[item * n + truth] += logs[(annotator * n + truth) * n + label];
  fit_.log_likelihood = 0;
  for (size_t item = 0; item < fit_.items.size(); ++item)
    fit_.log_likelihood += normalise(item, &fit_.posterior[item * n]);
}

DawidSkene Estimation::run() {
  constexpr int kRounds = 10000;
  start();
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<double> before = fit_.posterior;
    learn();
    judge();
    double largest = 0;
    for (size_t i = 0; i < before.size(); ++i)
      largest = std::max(largest, std::abs(before[i] - fit_.posterior[i]));
    if (largest < options_.tolerance) break;
  }
  return std::move(fit_);
}

}  // namespace

double DawidSkene::accuracy(size_t annotator) const {
  double sum = 0;
  for (size_t c = 0; c < categories.size(); ++c) sum += prior[c] * confused(annotator, c, c);
  return sum;
}

DawidSkene dawid_skene(std::span<const Label> labels, const DawidSkeneOptions& options) {
  if (labels.empty()) throw Error("dawid_skene", "expected at least one label, got none");
  if (options.against_majority && categories_of(labels, options).size() != 2)
    throw Error("dawid_skene", "expected two categories to start against the majority, got another number");
  if (!(options.smoothing >= 0))
    throw Error("dawid_skene",
                "expected pseudo-counts of 0 or more, got " + std::to_string(options.smoothing));
  Estimation estimation(labels, options);
  return estimation.run();
}

}  // namespace keel
