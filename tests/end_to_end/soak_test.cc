// Load with faults: whatever happens to the processes of functions, every invocation is answered,
// by the function or with an error that says why, and the server does not grow.
// HEARTH_SOAK_SECONDS says for how long (`make soak`: ten minutes), HEARTH_SOAK_SEED repeats the
// order of faults.
#include "tests/end_to_end/hearth_program.h"
#include "tests/support/traces.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

using nlohmann::json;
using tests::Serving;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr int kCallers = 4;
constexpr auto kBetweenFaults = 100ms;

long number_from(const char* name, long otherwise) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before the threads
  return text != nullptr ? std::strtol(text, nullptr, 10) : otherwise;
}

// What callers were told. Any thread.
class Answers {
 public:
  void add(const tests::Answer& answer, const std::string& payload) {
    auto kind = kind_of(answer, payload);
    const std::lock_guard lock(mutex_);
    ++kinds_[kind];
    if (kind.starts_with("lost")) lost_.push_back(kind);
  }
  std::map<std::string, long> kinds() const {
    const std::lock_guard lock(mutex_);
    return kinds_;
  }
  std::vector<std::string> lost() const {
    const std::lock_guard lock(mutex_);
    return lost_;
  }

 private:
  static std::string kind_of(const tests::Answer& answer, const std::string& payload) {
    if (answer.status == 200 && answer.header("X-Amz-Function-Error").empty()) {
      return answer.body == payload ? "answered" : "lost: answered with " + answer.body;
    }
    const auto body = json::parse(answer.body, nullptr, false);
    if (answer.status == 200 && body.is_object() && body.contains("errorType")) {
      return body["errorType"];
    }
    return "lost: status " + std::to_string(answer.status) + " " + answer.body;
  }

  mutable std::mutex mutex_;
  std::map<std::string, long> kinds_;
  std::vector<std::string> lost_;
};

// Until it is told to stop, or the moment has come.
void wait_until(const std::stop_token& stop, std::chrono::steady_clock::time_point moment) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_until(lock, stop, moment, [] { return false; });
}

void call_on_and_on(const std::stop_token& stop, int port, int caller, Answers& answers) {
  for (long number = 0; !stop.stop_requested(); ++number) {
    const auto payload = std::to_string(caller) + "." + std::to_string(number) + "1";
    answers.add(tests::invoke_function(port, "testee", payload), payload);
  }
}

// One of the environments, killed from outside or retired, in whatever phase it is.
std::string strike(int port, std::mt19937_64& random) {
  const auto answer = tests::http(port, "GET", "/_hearth/environments");
  const auto all = json::parse(answer.body, nullptr, false);
  if (answer.status != 200 || all["environments"].empty()) return "found nobody";
  auto at = std::uniform_int_distribution<std::size_t>(0, all["environments"].size() - 1);
  const auto& environment = all["environments"][at(random)];
  if (std::bernoulli_distribution(0.2)(random)) {
    tests::http(port, "DELETE", "/_hearth/environments/" + environment["id"].get<std::string>());
    return "retired";
  }
  if (!environment["pid"].is_number()) return "found nobody";
  const std::vector<int> signals = {SIGKILL, SIGKILL, SIGSEGV, SIGTERM};
  auto which = std::uniform_int_distribution<std::size_t>(0, signals.size() - 1);
  ::kill(environment["pid"].get<pid_t>(), signals[which(random)]);
  return "killed while " + environment["phase"].get<std::string>();
}

struct Possessions {
  std::ptrdiff_t descriptors = 0;
  std::set<pid_t> children;
  std::size_t control_groups = 0;
};

Possessions possessions(pid_t hearth) {
  const auto folder = fs::path("/proc") / std::to_string(hearth);
  Possessions found;
  found.descriptors = std::distance(fs::directory_iterator(folder / "fd"), {});
  for (const auto& task : fs::directory_iterator(folder / "task")) {
    std::ifstream file(task.path() / "children");
    for (pid_t pid = 0; file >> pid;) found.children.insert(pid);
  }
  found.control_groups = tests::control_groups_of(hearth).size();
  return found;
}

long resident_kib(pid_t hearth) {
  std::ifstream file("/proc/" + std::to_string(hearth) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) return std::strtol(line.c_str() + 6, nullptr, 10);
  }
  return 0;
}

// Callers and faults for a while; which faults there were.
std::map<std::string, long> load(int port,
                                 std::chrono::seconds duration,
                                 std::mt19937_64& random,
                                 Answers& answers) {
  std::map<std::string, long> faults;
  const auto end = std::chrono::steady_clock::now() + duration;
  std::vector<std::jthread> callers;
  for (int caller = 1; caller <= kCallers; ++caller) {
    callers.emplace_back([port, caller, &answers](const std::stop_token& stop) {
      call_on_and_on(stop, port, caller, answers);
    });
  }
  const std::stop_source never;
  for (auto next = std::chrono::steady_clock::now(); next < end; next += kBetweenFaults) {
    wait_until(never.get_token(), next);
    ++faults[strike(port, random)];
  }
  return faults;
}

// And waits until they are gone: then one child is left, which guards the others.
void retire_all(const Serving& serving, pid_t hearth) {
  tests::http(serving.port(), "DELETE", "/_hearth/environments");
  CHECK(tests::soon([&] { return possessions(hearth).children.size() <= 1; }));
}

}  // namespace

TEST_CASE("under load and faults no invocation is lost, and the server does not grow", "[soak]") {
  const std::chrono::seconds duration{number_from("HEARTH_SOAK_SECONDS", 5)};
  const long seed = number_from("HEARTH_SOAK_SEED", static_cast<long>(std::random_device{}()));
  std::cerr << "HEARTH_SOAK_SEED=" << seed << " HEARTH_SOAK_SECONDS=" << duration.count() << "\n";
  INFO("seed " << seed);
  std::mt19937_64 random(static_cast<unsigned long>(seed));

  auto words = tests::testee("echo");
  words.insert(
      words.end(),
      {"--timeout", "30", "--memory", "1769", "--sandbox", "degraded", "--log-level", "off"});
  Serving serving(words, {.kept_bytes = 1 << 20});
  const auto hearth = serving.program().pid();
  Answers answers;
  // What is made once and kept, and what the allocator has grown to.
  load(serving.port(), std::max<std::chrono::seconds>(duration / 5, 1s), random, answers);
  retire_all(serving, hearth);
  const auto before = possessions(hearth);
  const long resident_before = resident_kib(hearth);
  const auto faults = load(serving.port(), duration, random, answers);
  retire_all(serving, hearth);

  for (const auto& [what, count] : faults) std::cerr << "  " << count << " x " << what << "\n";
  for (const auto& [what, count] : answers.kinds()) {
    std::cerr << "  " << count << " x " << what << "\n";
  }
  CHECK(answers.lost() == std::vector<std::string>{});
  CHECK(answers.kinds().contains("answered"));
  // A connection of a caller's that is not yet seen as closed is a descriptor more.
  CHECK(tests::soon([&] { return possessions(hearth).descriptors <= before.descriptors; }));
  const auto after = possessions(hearth);
  CHECK(after.children == before.children);
  CHECK(after.control_groups == before.control_groups);
  CHECK(after.descriptors <= before.descriptors);
  const long grown_kib = resident_kib(hearth) - resident_before;
  std::cerr << "  grown by " << grown_kib << " KiB over " << resident_before << "\n";
  // The history of invocations and the log that was not yet read have limits of their own.
  CHECK(grown_kib <= 20L * 1024);
  CHECK(serving.stop().status == 0);
}
