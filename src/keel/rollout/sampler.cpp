#include "keel/rollout/sampler.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "keel/base/error.h"
#include "keel/base/products.h"
#include "keel/base/random.h"
#include "keel/rollout/engine.h"
#include "keel/rollout/page_pool.h"
#include "keel/tensors/decode_kernels.h"

namespace keel {

// A request in flight. Its samples share the prompt's pages; each begins pages of its own behind them.
struct Sampler::Job {
  Ticket ticket = 0;
  Request request;
  Sink sink;
  int64_t budget = 0;
  std::vector<int32_t> shared_pages;
  int64_t running = 0;
  bool cancelled = false;
  std::vector<Row*> rows;  // while its prompt is computed

  int64_t prompt_size() const { return static_cast<int64_t>(request.prompt.size()); }
  int64_t pages_shared() const { return pages_for(prompt_size()); }
  int64_t pages_of_sample() const { return pages_for(budget); }
  int64_t pages_needed() const { return pages_shared() + request.samples * pages_of_sample(); }
};

struct Sampler::Row {
  std::shared_ptr<Job> job;
  Completion completion;
  std::vector<int32_t> pages;  // the shared ones first
  TokenChoice choice;          // of the step that runs
  bool finished = false;

  int64_t added() const { return static_cast<int64_t>(completion.tokens.size()); }
};

struct Sampler::State {
  std::unique_ptr<Engine> engine;
  std::optional<PagePool> pool;
  std::deque<std::shared_ptr<Job>> waiting;
  std::list<Row> rows;
  std::vector<EngineRow> engine_rows;
  std::vector<Row*> running;  // those of engine_rows
  LogitsSink choose_running;
  Ticket next_ticket = 1;
  int64_t pages = 0;
};

std::string finish_name(Finish finish) {
  return finish == Finish::stop ? "stop" : finish == Finish::stop_string ? "stop_string" : "length";
}

Sampler::Sampler(const Model& model, SamplerLimits limits)
    : model_(model), limits_(limits), state_(std::make_unique<State>()) {
  state_->choose_running = [this](size_t row, std::span<const float> logits) {
    Row& r = *state_->running[row];
    r.choice = choose(r, logits);
  };
}

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

void Sampler::prepare() {
  if (!state_->engine && !state_->waiting.empty()) make_cache(state_->waiting.front()->pages_needed());
}

// First come, first served: a request that does not fit yet holds back the ones behind it.
void Sampler::admit() {
  std::vector<std::shared_ptr<Job>> admitted;
  auto rows = static_cast<int64_t>(state_->rows.size());
  while (!state_->waiting.empty()) {
    const auto& job = state_->waiting.front();
    const bool alone = rows == 0;
    if (!alone && rows + job->request.samples > limits_.rows) break;
    if (!state_->engine || (alone && state_->pages < job->pages_needed())) make_cache(job->pages_needed());
    if (state_->pool->free() < job->pages_needed()) break;
    for (int64_t i = 0; i < job->pages_shared(); ++i) job->shared_pages.push_back(state_->pool->take());
    rows += job->request.samples;
    add_rows(job);
    admitted.push_back(job);
    state_->waiting.pop_front();
  }
  if (!admitted.empty()) prefill(admitted);
  retire();
}

// As large as what waits needs, up to the limit, and never too small for the first request.
void Sampler::make_cache(int64_t pages_needed) {
  int64_t wanted = 0;
  for (const auto& job : state_->waiting) wanted += job->pages_needed();
  state_->pages = std::max(std::min(wanted, pages_for(limits_.cache_slots)), pages_needed);
  state_->engine = make_engine(model_, state_->pages);
  state_->pool.emplace(state_->pages);
}

void Sampler::add_rows(const std::shared_ptr<Job>& job) {
  for (int64_t sample = 0; sample < job->request.samples; ++sample) {
    Row& row = state_->rows.emplace_back();
    row.job = job;
    row.completion.sample = sample;
    for (auto* values : {&row.completion.logps, &row.completion.logps_sampled})
      values->reserve(static_cast<size_t>(job->budget));
    row.completion.tokens.reserve(static_cast<size_t>(job->budget));
    row.pages = job->shared_pages;
    for (int64_t i = 0; i < job->pages_of_sample(); ++i) row.pages.push_back(state_->pool->take());
    job->rows.push_back(&row);
  }
}

void Sampler::prefill(const std::vector<std::shared_ptr<Job>>& jobs) {
  std::vector<EngineRow> rows;
  std::vector<Job*> ends;  // of the row that ends a prompt: its job
  for (const auto& job : jobs)
    for (int64_t i = 0; i < job->prompt_size(); ++i) {
      const bool last = i == job->prompt_size() - 1;
      rows.push_back({job->request.prompt[static_cast<size_t>(i)], i, job->shared_pages, last});
      ends.push_back(last ? job.get() : nullptr);
    }
  count_products(decode_products(model_.config(), rows));
  state_->engine->run(rows, [&](size_t row, std::span<const float> logits) {
    for (Row* sample : ends[row]->rows) sample->choice = choose(*sample, logits);
  });
  for (const auto& job : jobs) {
    for (Row* row : job->rows) accept(*row);
    job->rows.clear();
  }
}

void Sampler::decode() {
  state_->engine_rows.clear();
  state_->running.clear();
  for (Row& row : state_->rows) {
    const int64_t prompt = row.job->prompt_size();
    state_->engine_rows.push_back(
        {row.completion.tokens.back(), prompt + row.added() - 1, row.pages, true, prompt});
    state_->running.push_back(&row);
  }
  count_products(decode_products(model_.config(), state_->engine_rows));
  state_->engine->run(state_->engine_rows, state_->choose_running);
  for (Row* row : state_->running) accept(*row);
}

TokenChoice Sampler::choose(const Row& row, std::span<const float> logits) const {
  const Request& request = row.job->request;
  const double u =
      uniform({request.seed, Stream::sampling, request.step, request.prompt_index,
               static_cast<uint32_t>(row.completion.sample), static_cast<uint32_t>(row.added())});
  std::vector<int64_t> context;
  if (request.options.repetition_penalty != 1) {
    context = request.prompt;
    context.insert(context.end(), row.completion.tokens.begin(), row.completion.tokens.end());
  }
  return choose_token(logits, context, request.options, u);
}

void Sampler::accept(Row& row) {
  Completion& completion = row.completion;
  completion.tokens.push_back(row.choice.token);
  ++tokens_;
  completion.logps.push_back(row.choice.logp);
  completion.logps_sampled.push_back(row.choice.logp_sampled);
  const auto& stops = row.job->request.options.stop_ids;
  if (std::find(stops.begin(), stops.end(), row.choice.token) != stops.end())
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
    for (auto page = row->pages.begin() + job->pages_shared(); page != row->pages.end(); ++page)
      state_->pool->give_back(*page);
    row = state_->rows.erase(row);
    if (--job->running > 0) continue;
    for (const int32_t page : job->shared_pages) state_->pool->give_back(page);
  }
}

std::vector<std::vector<Completion>> generate(const Model& model, std::vector<Request> requests,
                                              SamplerLimits limits,
                                              const std::function<void(int64_t, int64_t)>& progress) {
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
  sampler.prepare();
  if (progress) progress(0, 0);
  while (sampler.step())
    if (progress) progress(finished, sampler.tokens());
  if (progress) progress(finished, sampler.tokens());
  return completions;
}

}  // namespace keel
