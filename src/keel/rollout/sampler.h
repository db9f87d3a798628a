// Batched generation. Requests wait until the cache has room, run together, and leave when they are finished,
// so short ones make place for others (continuous batching). A request's prompt is computed and stored once
// for all of its samples. No tensor is in the interface, and nothing is allocated for a token.
#pragma once

#include <functional>
#include <list>
#include <memory>

#include "keel/models/model.h"
#include "keel/rollout/token_sampling.h"

namespace keel {

enum class Finish { stop, stop_string, length };  // an end-of-text or stop id; a stop string; the budget

/// "stop", "stop_string", "length".
std::string finish_name(Finish finish);

/// One completion of a request's prompt.
struct Completion {
  int64_t sample = 0;           // 0 .. samples - 1
  std::vector<int64_t> tokens;  // the id that stopped it included
  std::vector<double> logps, logps_sampled;
  Finish finish = Finish::length;
};

struct Request {
  std::vector<int64_t> prompt;
  int64_t samples = 1;
  SamplingOptions options;
  uint64_t seed = 0;  // a token is drawn with the key (seed, step, prompt_index, sample, position)
  uint32_t step = 0, prompt_index = 0;
  std::function<std::string(std::span<const int64_t>)>
      decode;  // completion ids → text; only for stop strings
};

using Ticket = int64_t;
using Sink = std::function<void(Completion)>;

struct SamplerLimits {
  int64_t rows = 1024;            // completions that run at once
  int64_t cache_slots = 1 << 17;  // tokens in the cache; raised when one request needs more
};

class Sampler {
 public:
  explicit Sampler(const Model& model, SamplerLimits limits = {});
  ~Sampler();

  /// The budget is capped so that prompt and completion fit the context.
  /// Errors: [sampler] an empty prompt, one that leaves no room, or a token outside the vocabulary.
  Ticket submit(Request request, Sink sink);
  /// Its unfinished completions are dropped; their sink is not called again.
  void cancel(Ticket ticket);
  /// Makes the engine and its cache for what waits, which step() would do: packing weights and touching
  /// memory take a while.
  void prepare();
  /// Admits what fits, then adds one token to every running completion. False when nothing is left to do.
  bool step();
  /// New tokens of all requests so far.
  int64_t tokens() const { return tokens_; }

 private:
  struct Job;
  struct Row;
  struct State;
  void admit();
  void make_cache(int64_t pages_needed);
  void add_rows(const std::shared_ptr<Job>& job);
  void prefill(const std::vector<std::shared_ptr<Job>>& jobs);
  void decode();
  TokenChoice choose(const Row& row, std::span<const float> logits) const;
  void accept(Row& row);
  bool stopped_by_string(const Row& row) const;
  void retire();

  const Model& model_;
  SamplerLimits limits_;
  int64_t tokens_ = 0;
  std::unique_ptr<State> state_;
};

/// Submits every request and steps until all are finished: completions[request][sample].
/// `progress(finished, tokens)` is called when the engine stands and after every step with the finished
/// completions and the new tokens so far; it may throw to end the work.
std::vector<std::vector<Completion>> generate(const Model& model, std::vector<Request> requests,
                                              SamplerLimits limits = {},
                                              const std::function<void(int64_t, int64_t)>& progress = {});

}  // namespace keel
