#include "keel/rollout/sampler.h"

#include <ATen/ops/linear.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include "keel/base/error.h"
#include "keel/base/random.h"
#include "keel/rollout/kv_cache.h"

namespace keel {

// A request in flight: one allocation of the cache holds the prompt, then a range for each sample.
struct Sampler::Job {
  Ticket ticket = 0;
  Request request;
  Sink sink;
  int64_t budget = 0;
  SlotRange slots;
  int64_t running = 0;
  bool cancelled = false;

  int64_t prompt_size() const { return static_cast<int64_t>(request.prompt.size()); }
  int64_t slots_needed() const { return prompt_size() + request.samples * budget; }
};

struct Sampler::Row {
  std::shared_ptr<Job> job;
  Completion completion;
  bool finished = false;

  int64_t added() const { return static_cast<int64_t>(completion.tokens.size()); }
  // The newest token's slot and what it sees.
  CacheRow cache_row() const {
    const int64_t prompt_end = job->slots.begin + job->prompt_size();
    const int64_t own = prompt_end + completion.sample * job->budget;
    return {own + added() - 1, {job->slots.begin, prompt_end}, {own, own + added()}};
  }
};

struct Sampler::State {
  std::optional<KvCache> cache;
  std::deque<std::shared_ptr<Job>> waiting;
  std::list<Row> rows;
  Ticket next_ticket = 1;
};

std::string finish_name(Finish finish) {
  return finish == Finish::stop ? "stop" : finish == Finish::stop_string ? "stop_string" : "length";
}

Sampler::Sampler(const Model& model, SamplerLimits limits)
    : model_(model), limits_(limits), state_(std::make_unique<State>()) {}

Sampler::~Sampler() = default;

Ticket Sampler::submit(Request request, Sink sink) {
  const DecoderConfig& config = model_.config();
  if (request.prompt.empty())
    throw Error("sampler", "expected a prompt of at least one token, got an empty one");
  for (const int64_t token : request.prompt)
    if (token < 0 || token >= config.vocabulary)
      throw Error("sampler", "expected prompt ids below the vocabulary of " +
                                 std::to_string(config.vocabulary) + ", got " + std::to_string(token));
  auto job = std::make_shared<Job>();
  job->request = std::move(request);
  job->budget = std::min(job->request.options.max_new_tokens, config.max_positions - job->prompt_size());
  if (job->budget < 1)
    throw Error("sampler", "expected a prompt shorter than the context of " +
                               std::to_string(config.max_positions) + " tokens, got one of " +
                               std::to_string(job->prompt_size()));
  job->sink = std::move(sink);
  job->ticket = state_->next_ticket++;
  job->running = job->request.samples;
  state_->waiting.push_back(job);
  return job->ticket;
}

void Sampler::cancel(Ticket ticket) {
  const auto is_it = [&](const std::shared_ptr<Job>& job) { return job->ticket == ticket; };
  std::erase_if(state_->waiting, is_it);
  for (Row& row : state_->rows)
    if (is_it(row.job)) row.job->cancelled = row.finished = true;
  retire();
}

bool Sampler::step() {
  at::NoGradGuard no_grad;
  admit();
  if (state_->rows.empty()) return false;
  decode();
  retire();
  return !state_->rows.empty() || !state_->waiting.empty();
}

// First come, first served: a request that does not fit yet holds back the ones behind it.
void Sampler::admit() {
  std::vector<std::shared_ptr<Job>> admitted;
  auto rows = static_cast<int64_t>(state_->rows.size());
  while (!state_->waiting.empty()) {
    const auto& job = state_->waiting.front();
    const bool alone = rows == 0;
    if (!alone && rows + job->request.samples > limits_.rows) break;
    if (!state_->cache || (alone && state_->cache->slots() < job->slots_needed()))
      state_->cache.emplace(model_.config(), std::max(limits_.cache_slots, job->slots_needed()),
                            model_.decoder.embedding().options().requires_grad(false));
    const auto slots = state_->cache->allocate(job->slots_needed());
    if (!slots) break;
    job->slots = *slots;
    rows += job->request.samples;
    admitted.push_back(job);
    state_->waiting.pop_front();
  }
  if (!admitted.empty()) prefill(admitted);
  retire();
}

void Sampler::prefill(const std::vector<std::shared_ptr<Job>>& jobs) {
  ForestBuilder builder;
  std::vector<int64_t> slots, last_rows;
  std::vector<Row*> rows;
  for (const auto& job : jobs) {
    const int32_t segment = builder.add(job->request.prompt);
    for (int64_t i = 0; i < job->prompt_size(); ++i) slots.push_back(job->slots.begin + i);
    for (int64_t sample = 0; sample < job->request.samples; ++sample) {
      state_->rows.push_back({job, {sample, {}, {}, {}, Finish::length}, false});
      rows.push_back(&state_->rows.back());
      last_rows.push_back(builder.last_row(segment));
    }
  }
  const Forest forest = builder.build();
  const double scale = 1 / std::sqrt(static_cast<double>(model_.config().head_size));
  PrefillAttend attend(*state_->cache, forest.segments, at::tensor(slots, at::kLong), scale);
  const Tensor hidden = model_.decoder.forward(forest.tokens, forest.positions, attend, Precision::float32);
  choose(hidden.index_select(0, at::tensor(last_rows, at::kLong)), rows);
}

void Sampler::decode() {
  std::vector<int64_t> tokens, positions;
  std::vector<CacheRow> cache_rows;
  std::vector<Row*> rows;
  for (Row& row : state_->rows) {
    tokens.push_back(row.completion.tokens.back());
    positions.push_back(row.job->prompt_size() + row.added() - 1);
    cache_rows.push_back(row.cache_row());
    rows.push_back(&row);
  }
  const double scale = 1 / std::sqrt(static_cast<double>(model_.config().head_size));
  DecodeAttend attend(*state_->cache, std::move(cache_rows), scale);
  choose(model_.decoder.forward(at::tensor(tokens, at::kLong), at::tensor(positions, at::kLong), attend,
                                Precision::float32),
         rows);
}

// hidden: (rows, hidden), the states that predict each row's next token.
void Sampler::choose(const Tensor& hidden, const std::vector<Row*>& rows) {
  const Tensor logits = at::linear(hidden, model_.head.weight).to(at::kFloat).contiguous();
  const int64_t vocabulary = logits.size(1);
  const float* values = logits.const_data_ptr<float>();
  std::vector<TokenChoice> choices(rows.size());
  at::parallel_for(0, static_cast<int64_t>(rows.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Row& row = *rows[static_cast<size_t>(i)];
      const Request& request = row.job->request;
      std::vector<int64_t> context;
      if (request.options.repetition_penalty != 1) {
        context = request.prompt;
        context.insert(context.end(), row.completion.tokens.begin(), row.completion.tokens.end());
      }
      const double u =
          uniform({request.seed, Stream::sampling, request.step, request.prompt_index,
                   static_cast<uint32_t>(row.completion.sample), static_cast<uint32_t>(row.added())});
      choices[static_cast<size_t>(i)] = choose_token(
          {values + i * vocabulary, static_cast<size_t>(vocabulary)}, context, request.options, u);
    }
  });
  for (size_t i = 0; i < rows.size(); ++i) accept(*rows[i], choices[i]);
}

void Sampler::accept(Row& row, const TokenChoice& choice) {
  Completion& completion = row.completion;
  completion.tokens.push_back(choice.token);
  completion.logps.push_back(choice.logp);
  completion.logps_sampled.push_back(choice.logp_sampled);
  const auto& stops = row.job->request.options.stop_ids;
  if (std::find(stops.begin(), stops.end(), choice.token) != stops.end())
    completion.finish = Finish::stop;
  else if (stopped_by_string(row))
    completion.finish = Finish::stop_string;
  else if (row.added() < row.job->budget)
    return;
  row.finished = true;
}

bool Sampler::stopped_by_string(const Row& row) const {
  const Request& request = row.job->request;
  if (request.options.stop_strings.empty() || !request.decode) return false;
  const std::string text = request.decode(row.completion.tokens);
  return std::any_of(request.options.stop_strings.begin(), request.options.stop_strings.end(),
                     [&](const std::string& stop) { return text.find(stop) != std::string::npos; });
}

void Sampler::retire() {
  for (auto row = state_->rows.begin(); row != state_->rows.end();) {
    if (!row->finished) {
      ++row;
      continue;
    }
    const std::shared_ptr<Job> job = row->job;
    if (!job->cancelled) job->sink(std::move(row->completion));
    row = state_->rows.erase(row);
    if (--job->running == 0) state_->cache->release(job->slots);
  }
}

std::vector<std::vector<Completion>> generate(const Model& model, std::vector<Request> requests,
                                              SamplerLimits limits,
                                              const std::function<void(int64_t)>& progress) {
  std::vector<std::vector<Completion>> completions(requests.size());
  Sampler sampler(model, limits);
  int64_t finished = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    auto& place = completions[i];
    place.resize(static_cast<size_t>(requests[i].samples));
    sampler.submit(std::move(requests[i]), [&place, &finished](Completion completion) {
      ++finished;
      place[static_cast<size_t>(completion.sample)] = std::move(completion);
    });
  }
  while (sampler.step())
    if (progress) progress(finished);
  if (progress) progress(finished);
  return completions;
}

}  // namespace keel
