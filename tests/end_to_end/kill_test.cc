// A server that is killed at any moment, under load, loses nothing that it acknowledged and keeps
// nothing half. HEARTH_KILL_ROUNDS says how often (`make soak`: 200 times), HEARTH_KILL_SEED
// repeats after how many acknowledgements.
#include "tests/end_to_end/lambda_api.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

using nlohmann::json;
using tests::LambdaApi;
using tests::ScratchFolder;
using tests::Serving;
namespace fs = std::filesystem;

namespace {

constexpr int kChangers = 2;
constexpr int kMostAcknowledged = 60;  // before a kill
constexpr int kAttemptsAtOnce = 64;    // invoke::kMaxEventThreads

// Runs with no isolation, and writes down which events it was given.
constexpr const char* kScribe =
    "#!/bin/bash\n"
    "api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation\n"
    "while true; do\n"
    "  id=$(curl -s -D - -o /dev/null $api/next | tr -d '\\r' |\n"
    "       sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')\n"
    "  [[ -n $id ]] || exit 1\n"
    "  echo $id >>$BOOK\n"
    "  curl -s -o /dev/null -X POST -d '{}' $api/$id/response\n"
    "done\n";

long number_from(const char* name, long otherwise) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before the threads
  return text != nullptr ? std::strtol(text, nullptr, 10) : otherwise;
}

// How far a function's life was begun and acknowledged: created, given other code, published,
// named by an alias.
enum Step : int { kNothing, kCreated, kUpdated, kPublished, kNamed };
struct Life {
  int begun = kNothing;
  int acknowledged = kNothing;
};

// What callers know of the server's word. Any thread.
class Ledger {
 public:
  void begin(const std::string& function, int step) {
    const std::lock_guard lock(mutex_);
    lives_[function].begun = step;
  }
  void acknowledge(const std::string& function, int step) {
    const std::lock_guard lock(mutex_);
    lives_[function].acknowledged = step;
    count();
  }
  void acknowledge_event(const std::string& id) {
    const std::lock_guard lock(mutex_);
    events_.push_back(id);
    count();
  }
  void await_acknowledged(int more) {
    std::unique_lock lock(mutex_);
    const int goal = acknowledged_ + more;
    changed_.wait(lock, [&] { return acknowledged_ >= goal; });
  }
  std::map<std::string, Life> lives() const {
    const std::lock_guard lock(mutex_);
    return lives_;
  }
  std::vector<std::string> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }

 private:
  void count() {
    ++acknowledged_;
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Life> lives_;
  std::vector<std::string> events_;
  int acknowledged_ = 0;
};

std::string path_of(const std::string& function) {
  return std::string(tests::kFunctions) + "/" + function;
}

json code_of(int version) {
  return tests::python_function("", "VERSION = " + std::to_string(version) + "\n")["Code"];
}

// Leads functions from step to step until the server answers no more.
void change(int port, Ledger& ledger, const std::string& prefix) {
  const LambdaApi api(port);
  for (int count = 0;; ++count) {
    const auto name = prefix + std::to_string(count);
    auto creation = tests::python_function(name, "");
    creation["Code"] = code_of(1);
    const struct {
      Step step;
      const char* method;
      std::string path;
      json body;
    } kSteps[] = {
        {kCreated, "POST", tests::kFunctions, creation},
        {kUpdated, "PUT", path_of(name) + "/code", code_of(2)},
        {kPublished, "POST", path_of(name) + "/versions", json::object()},
        {kNamed, "POST", path_of(name) + "/aliases", {{"Name", "live"}, {"FunctionVersion", "1"}}}};
    for (const auto& step : kSteps) {
      ledger.begin(name, step.step);
      const auto answer = api.send(step.method, step.path, step.body);
      if (answer.status < 200 || answer.status > 299) return;
      ledger.acknowledge(name, step.step);
    }
  }
}

void send_events(int port, Ledger& ledger) {
  while (true) {
    const auto answer =
        tests::invoke_function(port, "scribe", "{}", {{"X-Amz-Invocation-Type", "Event"}});
    if (answer.status != 202) return;
    ledger.acknowledge_event(answer.header("x-amzn-RequestId"));
  }
}

// Two packages of different content.
struct Hashes {
  std::string first, second;
};

Hashes hashes_of(const LambdaApi& api) {
  auto creation = tests::python_function("hashes", "");
  creation["Code"] = code_of(1);
  Hashes hashes;
  hashes.first = api.create(creation)["CodeSha256"];
  hashes.second = api.call("PUT", path_of("hashes") + "/code", code_of(2))["CodeSha256"];
  return hashes;
}

void check_code(const Serving& serving, const json& function) {
  const auto location = function["Code"]["Location"].get<std::string>();
  REQUIRE(location.starts_with(serving.address()));
  const auto path = location.substr(serving.address().size());
  CHECK(tests::http(serving.port(), "GET", path).status == 200);
}

// Everything that was acknowledged is there, and what was only begun is there whole or not at all.
void check_life(const Serving& serving,
                const std::string& name,
                const Life& life,
                const Hashes& hashes) {
  const LambdaApi api(serving.port());
  INFO(name << ": begun " << life.begun << ", acknowledged " << life.acknowledged);
  const auto latest = api.send("GET", path_of(name));
  if (latest.status == 404) {
    CHECK(life.acknowledged == kNothing);
    return;
  }
  REQUIRE(latest.status == 200);
  const auto function = latest.json();
  CHECK(function["Configuration"]["State"] == "Active");
  check_code(serving, function);
  const auto sha = function["Configuration"]["CodeSha256"];
  if (life.acknowledged >= kUpdated) CHECK(sha == hashes.second);
  if (life.begun < kUpdated) CHECK(sha == hashes.first);
  CHECK((sha == hashes.first || sha == hashes.second));

  const auto version = api.send("GET", path_of(name) + "?Qualifier=1");
  CHECK((version.status == 200 || version.status == 404));
  if (life.acknowledged >= kPublished) CHECK(version.status == 200);
  if (life.begun < kPublished) CHECK(version.status == 404);
  if (version.status == 200) {
    CHECK(version.json()["Configuration"]["CodeSha256"] == hashes.second);
    check_code(serving, version.json());
  }
  const auto alias = api.send("GET", path_of(name) + "/aliases/live");
  if (life.acknowledged >= kNamed) CHECK(alias.status == 200);
  if (alias.status == 200) CHECK(alias.json()["FunctionVersion"] == "1");
}

std::map<std::string, int> read_book(const ScratchFolder& folder) {
  std::map<std::string, int> times;
  std::ifstream book(folder.path() / "book");
  for (std::string id; std::getline(book, id);) ++times[id];
  return times;
}

// Every event is run, and again only where a kill came between its run and its end.
int check_events(const LambdaApi& api,
                 const Ledger& ledger,
                 const ScratchFolder& folder,
                 long kills) {
  tests::eventually("the end of all events", [&] {
    const auto events = api.shown("events", "scribe");
    return std::all_of(
        events.begin(), events.end(), [](const json& one) { return one.at("state") == "done"; });
  });
  const auto times = read_book(folder);
  for (const auto& id : ledger.events()) {
    INFO(id);
    CHECK(times.contains(id));
  }
  int again = 0;
  for (const auto& [id, count] : times) {
    INFO(id);
    CHECK(count <= 1 + kills);
    again += count - 1;
  }
  CHECK(again <= kills * kAttemptsAtOnce);
  return again;
}

json scribe_in(const ScratchFolder& folder) {
  const fs::path bootstrap = folder.write("scribe/bootstrap", kScribe);
  fs::permissions(bootstrap, fs::perms::owner_all);
  return tests::changed(
      tests::testee_function("scribe", "any", {{"BOOK", (folder.path() / "book").string()}}),
      {{"Code", {{"S3Key", bootstrap.parent_path().string()}}}});
}

// One life of the server: load, until so much is acknowledged, and then the kill.
void load_and_kill(Serving& serving, Ledger& ledger, long round, int acknowledged) {
  std::vector<std::jthread> callers;
  for (int at = 0; at < kChangers; ++at) {
    callers.emplace_back([&ledger, port = serving.port(), round, at] {
      change(port, ledger, "f" + std::to_string(round) + "-" + std::to_string(at) + "-");
    });
  }
  callers.emplace_back([&ledger, port = serving.port()] { send_events(port, ledger); });
  ledger.await_acknowledged(acknowledged);
  CHECK(serving.stop(SIGKILL).status == 128 + SIGKILL);
}

}  // namespace

TEST_CASE("a server that is killed under load keeps its word, whenever it is killed",
          "[kill][state]") {
  const long rounds = number_from("HEARTH_KILL_ROUNDS", 8);
  const long seed = number_from("HEARTH_KILL_SEED", std::random_device{}());
  std::cout << "HEARTH_KILL_SEED=" << seed << '\n';
  std::mt19937_64 random(static_cast<std::uint64_t>(seed));
  std::uniform_int_distribution<int> acknowledged(1, kMostAcknowledged);

  const ScratchFolder folder;
  const tests::Words flags = {
      "--state-dir", (folder.path() / "state").string(), "--sandbox", "none"};
  Ledger ledger;
  Hashes hashes;
  std::map<std::string, Life> checked;
  for (long round = 0; round < rounds; ++round) {
    Serving serving(flags);
    const LambdaApi api(serving.port());
    if (round == 0) {
      api.create(scribe_in(folder));
      hashes = hashes_of(api);
    }
    for (const auto& [name, life] : ledger.lives()) {
      if (checked.contains(name)) continue;
      check_life(serving, name, life, hashes);
      checked[name] = life;
    }
    load_and_kill(serving, ledger, round, acknowledged(random));
  }
  Serving serving(flags);
  const int again = check_events(LambdaApi(serving.port()), ledger, folder, rounds);
  const auto lives = ledger.lives();
  for (const auto& [name, life] : lives) check_life(serving, name, life, hashes);
  std::cout << rounds << " kills, " << lives.size() << " functions, " << ledger.events().size()
            << " events, " << again << " runs again\n";
  serving.stop();
  // Two packages of the functions, and nothing that a kill left half.
  const auto packages = fs::directory_iterator(folder.path() / "state" / "code");
  CHECK(std::distance(fs::begin(packages), fs::end(packages)) == 2);
}
