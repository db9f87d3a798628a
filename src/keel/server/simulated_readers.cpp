#include "keel/server/simulated_readers.h"

#include <httplib.h>

#include <chrono>

#include "keel/base/json.h"
#include "keel/base/log.h"
#include "keel/base/secret.h"

namespace keel {
namespace {

constexpr size_t kTokenBytes = 16;
constexpr auto kPause = std::chrono::milliseconds(200);  // before asking again when there is nothing to do

// One connection's requests; nothing when the server does not answer or refuses.
class Client {
 public:
  Client(int port, const std::string& token)
      : http_("127.0.0.1", port), headers_({{"Authorization", "Bearer " + token}}) {}

  std::optional<Json> post(const char* path, const Json& body) {
    const auto result = http_.Post(path, headers_, json_text(body), "application/json");
    if (!result) return std::nullopt;
    if (result->status != 200) log_warning("simulated annotator: " + result->body);
    return result->status == 200 ? std::optional(parse_json(result->body, path)) : std::nullopt;
  }

 private:
  httplib::Client http_;
  httplib::Headers headers_;
};

}  // namespace

std::vector<SimulatedReader> simulated_readers(int64_t count) {
  const std::vector<Annotator> kinds = demo_annotators();
  std::vector<SimulatedReader> readers;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    Annotator annotator = kinds[i % kinds.size()];
    if (i >= kinds.size()) annotator.name += " " + std::to_string(i / kinds.size() + 1);
    readers.push_back({annotator, random_hex(kTokenBytes)});
  }
  return readers;
}

SimulatedReaders::SimulatedReaders(int port, std::vector<SimulatedReader> readers, Quality quality,
                                   uint64_t seed)
    : port_(port), readers_(std::move(readers)), quality_(std::move(quality)), seed_(seed) {
  for (uint32_t number = 0; number < readers_.size(); ++number)
    threads_.emplace_back([this, number](const std::stop_token& stop) { work(stop, number); });
}

SimulatedReaders::~SimulatedReaders() = default;

void SimulatedReaders::work(const std::stop_token& stop, uint32_t number) const {
  const SimulatedReader& reader = readers_[number];
  Client client(port_, reader.token);
  while (!stop.stop_requested()) {
    const auto claimed = client.post("/api/claim", {{"holder", "simulated"}});
    if (!claimed || claimed->at("task").is_null()) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    const Json& task = claimed->at("task");
    std::vector<double> quality;
    Json completions = Json::array();
    for (const Json& completion : task["completions"]) {
      quality.push_back(quality_(task["text"], completion["text"]));
      completions.push_back(completion["id"]);
    }
    const auto task_id = task["id"].get<int64_t>();
    const RandomKey key{.seed = seed_, .prompt = static_cast<uint32_t>(task_id), .sample = number};
    client.post("/api/submit", {{"store", claimed->at("state")["store"]},
                                {"key", reader.annotator.name + "-" + std::to_string(task_id)},
                                {"type", "ranking"},
                                {"task", task_id},
                                {"prompt", task["prompt"]},
                                {"completions", completions},
                                {"ranks", rank(reader.annotator, quality, key)}});
  }
}

}  // namespace keel
