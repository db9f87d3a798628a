#include "keel/commands/labelling.h"

#include <chrono>
#include <ctime>
#include <iostream>
#include <optional>
#include <thread>
#include <utility>

#include "keel/base/error.h"
#include "keel/base/log.h"
#include "keel/feedback/accounts.h"
#include "keel/server/label_server.h"
#include "keel/server/simulated_readers.h"
#include "keel/simulation/annotators.h"
#include "keel/simulation/gold.h"

namespace keel {
namespace {

constexpr int64_t kFirstInviteSeconds = 3600;
constexpr auto kBetweenLooks = std::chrono::milliseconds(500);  // at what was judged meanwhile

// Stops the server once so few tasks are left; never with -1.
std::jthread stopper(feedback::Store& store, LabelServer& server, int64_t left) {
  if (left < 0) return {};
  return std::jthread([&store, &server, left](const std::stop_token& done) {
    while (!done.stop_requested() && store.size().open_tasks > left)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    server.stop();
  });
}

// Asks for votes on two models while it is undecided which one is better, then stops the server.
std::jthread decider(feedback::Store& store, LabelServer& server, const ServeOptions& o) {
  if (o.until.better.empty()) return {};
  return std::jthread([&store, &server, &o](const std::stop_token& done) {
    const auto kinds = o.simulated > 0 ? feedback::Kinds::simulated : feedback::Kinds::human;
    for (int64_t seen = -1; !done.stop_requested(); std::this_thread::sleep_for(kBetweenLooks)) {
      const int64_t last = store.last_event();
      if (std::exchange(seen, last) == last) continue;
      const auto certificate = feedback::ask_until_decided(store, kinds, o.until, o.confidence);
      if (certificate.votes.verdict == Verdict::undecided) continue;
      log_info(feedback::certificate_text(certificate));
      return server.stop();
    }
  });
}

// They are known to the server by their tokens, and to the store by what they are.
std::map<std::string, Reader> readers_by_token(feedback::Store& store,
                                               const std::vector<SimulatedReader>& readers) {
  std::map<std::string, Reader> result;
  for (const SimulatedReader& reader : readers) {
    const Json parameters = annotator_json(reader.annotator);
    const int64_t id =
        store.add_annotator({feedback::AnnotatorKind::simulated, reader.annotator.name, parameters});
    result[reader.token] = {.annotator = id, .name = reader.annotator.name};
  }
  return result;
}

// Somebody must be the first one.
void invite_first_lead(feedback::Accounts& accounts, const LabelServer& server) {
  if (!accounts.all().empty()) return;
  const std::string secret = accounts.invite(feedback::Role::lead, std::time(nullptr) + kFirstInviteSeconds);
  std::cout << "Nobody has an account yet. Within an hour, make a lead's at " << server.url() << "join#"
            << secret << std::endl;
}

void run_plain_label(ServeOptions& o) {
  serve_labels(*feedback::open_store(o.store, feedback::Access::write), o, {}, 0);
}

}  // namespace

void ServeOptions::visit(OptionVisitor& v) {
  v(&store, "store", "The feedback store.", required_output());
  v(&annotator, "annotator", "The reader's name, without --accounts.");
  v(&accounts, "accounts", "People log in: keel feedback invite makes links for them.");
  v(&host, "host", "The address to listen on; without --accounts this machine's own only.");
  v(&port, "port", "The port; 0 picks a free one.", within(0, 65535));
  v(&behind_proxy, "behind_proxy",
    "Where a TLS proxy on this machine serves these pages, as https://label.example.org.");
  v(&qualification, "qualification",
    "The share of the qualification round that an annotator must get right to go on.", within(0, 1));
  v(&until.better, "until_better",
    "Ask for votes on this model and --than first, and end when it can be said which one is better.");
  v(&until.than, "than", "The model that --until-better is compared with.");
  v(&confidence, "confidence", "Of that answer, however often one looks.", within(0.5, 0.999999));
  v(&stop_when_left, "stop_when_left",
    "End when no more tasks than these want an answer; -1: go on until Ctrl-C.", at_least(-1));
  v(&simulated, "simulated",
    "Simulated annotators (the demo's) that judge through this page's own interface; marked as simulated.",
    within(0, 64));
  v(&seed, "seed", "Names every draw of theirs.", at_least(0));
}

void ServeOptions::check() const {
  if (until.better.empty() != until.than.empty())
    throw UsageError("--than", "expected --until-better and --than together");
}

void serve_labels(feedback::Store& store, const ServeOptions& o, LabelHooks hooks, int64_t trained_event) {
  std::optional<feedback::Accounts> accounts;
  if (o.accounts) accounts.emplace(o.store, store);
  const std::vector<SimulatedReader> readers = simulated_readers(o.simulated);
  LabelServer server(store,
                     {.host = o.host,
                      .port = static_cast<int>(o.port),
                      .annotator = o.annotator,
                      .behind_proxy = o.behind_proxy,
                      .trained_event = trained_event,
                      .qualification = o.qualification,
                      .tokens = readers_by_token(store, readers)},
                     std::move(hooks), accounts ? &*accounts : nullptr);
  store.add_rankings(2, 0);  // now that the options have proved sound
  if (accounts) invite_first_lead(*accounts, server);
  std::cout << "Rank answers at " << server.url() << " (Ctrl-C ends it; every acknowledged judgement is in "
            << o.store << ")" << std::endl;
  const SimulatedReaders at_work(
      server.port(), readers,
      [](const std::string& prompt, const std::string& text) { return gold(prompt, text, true); },
      static_cast<uint64_t>(o.seed));
  const std::jthread stops = stopper(store, server, o.stop_when_left), decides = decider(store, server, o);
  server.listen();
}

Stage label_stage() {
  return make_stage(
      "label", "Pages where people judge answers.",
      "A judgement is acknowledged after its commit; the page keeps what was not acknowledged and "
      "sends it again. Without `--accounts` it serves whoever sits at this machine.\n\n    "
      "keel-label label --store feedback.db --accounts",
      &run_plain_label);
}

}  // namespace keel
