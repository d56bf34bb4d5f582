#include "tests/bench/figures.h"
#include "tests/bench/processes.h"
#include "tests/bench/sections.h"
#include "tests/bench/serving.h"
#include "tests/support/scratch_folder.h"

#include <nlohmann/json.hpp>

#include <array>
#include <atomic>
#include <barrier>
#include <cstdio>
#include <map>
#include <numeric>
#include <random>
#include <thread>

namespace bench {
namespace {

constexpr int kClients = 16;
constexpr std::chrono::milliseconds kFaultPeriod{100};
// Some of the load comes with pauses, so that frozen environments are met too.
constexpr std::chrono::milliseconds kPause{10};
constexpr int kSpinMs = 5;
constexpr std::chrono::seconds kWarmUp{1};

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string function_resource(const std::string& name, const std::string& folder) {
  std::string logical;
  for (const char c : name) {
    if (c != '-') logical += c;
  }
  return "  " + logical + ":\n    Type: AWS::Serverless::Function\n    Properties:\n" +
         "      FunctionName: " + name + "\n      CodeUri: " + folder + "\n";
}

std::string template_of(const std::vector<std::string>& resources) {
  std::string text =
      "Transform: AWS::Serverless-2016-10-31\n"
      "Globals:\n  Function:\n    Runtime: provided.al2023\n    Handler: bootstrap\n"
      "    Timeout: 30\nResources:\n";
  for (const auto& resource : resources) text += resource;
  return text;
}

std::string name_of(int number) { return "echo-" + std::to_string(number); }

// Two clients that send to the same function at the same time, so that one environment is not
// enough. Adds what did not echo to `failed`.
void invoke_twice(int port, int first, int step, int functions, std::atomic<int>& failed) {
  std::barrier together(2);
  const auto one = [&](int which) {
    Caller caller(port);
    for (int number = first; number < functions; number += step) {
      const auto event = nlohmann::json{{"n", number}, {"which", which}}.dump();
      together.arrive_and_wait();
      const auto call = caller.invoke(name_of(number), event);
      if (call.status == 200 && call.function_error.empty() && call.body == event) continue;
      if (failed++ == 0) {
        std::printf("  the first that failed: %d %s\n", call.status, call.body.c_str());
      }
    }
  };
  std::thread other(one, 1);
  one(0);
  other.join();
}

// Every function is invoked twice at once. Returns how many of these calls did not echo.
int invoke_each_twice(int port, int functions) {
  constexpr int kPairs = kClients / 2;
  std::atomic<int> failed = 0;
  std::vector<std::thread> pairs;
  for (int pair = 0; pair < kPairs; ++pair) {
    pairs.emplace_back([&, pair] { invoke_twice(port, pair, kPairs, functions, failed); });
  }
  for (auto& pair : pairs) pair.join();
  return failed;
}

double mebibytes(std::uint64_t kb) { return static_cast<double>(kb) / 1024; }

}  // namespace

void scale(int environments) {
  title(std::to_string(environments) + " environments at once (wanted: all answer)");
  const tests::ScratchFolder folder;
  std::vector<std::string> resources;
  // A template holds 500 functions, so each of them gets two environments.
  const int functions = environments / 2;
  for (int i = 0; i < functions; ++i) {
    resources.push_back(function_resource(name_of(i), ECHO_PROJECT));
  }
  folder.write("template.yaml", template_of(resources));
  auto serving = std::make_optional<Serving>(std::vector<std::string>{}, folder.path().string());
  const auto pid = serving->program().pid();
  const auto available_before = available_kb();

  auto began = Clock::now();
  const int cold_failures = invoke_each_twice(serving->port(), functions);
  const double cold = seconds_since(began);
  const auto available_after = available_kb();
  const auto alive = Caller(serving->port()).environments();
  const auto answered = std::count_if(alive.begin(), alive.end(), [](const auto& environment) {
    return environment["invocations"] > 0;
  });
  began = Clock::now();
  const int warm_failures = invoke_each_twice(serving->port(), functions);
  const double warm = seconds_since(began);

  const auto processes = descendants_of(pid);
  const auto functions_kb = std::accumulate(
      processes.begin(), processes.end(), std::uint64_t{0}, [](std::uint64_t sum, pid_t one) {
        return sum + proportional_kb(one);
      });
  std::printf(
      "  cold: %d answered in %.2f s, %.2f ms each; %zu alive, %td of which have answered\n",
      environments - cold_failures,
      cold,
      cold * 1000 / environments,
      alive.size(),
      answered);
  std::printf("  warm: %d answered in %.2f s\n", environments - warm_failures, warm);
  std::printf(
      "  memory: %.1f MiB in %zu processes (PSS), %.1f MiB in hearth, %.1f MiB of the host\n",
      mebibytes(functions_kb),
      processes.size(),
      mebibytes(proportional_kb(pid)),
      mebibytes(available_before) - mebibytes(available_after));
  std::printf("  of hearth: %zu descriptors, %llu threads\n",
              open_descriptors(pid),
              static_cast<unsigned long long>(serving->program().status_kb("Threads:")));
  began = Clock::now();
  serving.reset();
  std::printf("  stopped in %.2f s\n", seconds_since(began));
}

namespace {

struct Tally {
  std::atomic<std::uint64_t> responded = 0;
  std::atomic<std::uint64_t> errors_told = 0;  // a function error, with its type
  std::atomic<std::uint64_t> refused = 0;      // an error of the service's, with its type
  std::atomic<std::uint64_t> lost = 0;
};

// An invocation is lost when it has no answer, a wrong one, or an error that does not say what.
void count(const Call& call, const std::string& echoed, Tally& tally) {
  const auto body = nlohmann::json::parse(call.body, nullptr, false);
  if (call.status == 200 && call.function_error.empty()) {
    const bool right =
        echoed.empty() ? body.is_object() && body.contains("cpu_ms") : call.body == echoed;
    ++(right ? tally.responded : tally.lost);
  } else if (call.status == 200 && body.is_object() && body.contains("errorType")) {
    ++tally.errors_told;
  } else if (call.answered && body.is_object() && body.contains("Type")) {
    ++tally.refused;
  } else {
    if (tally.lost++ == 0) {
      std::printf("  the first that is lost: %d '%s'\n", call.status, call.body.c_str());
    }
  }
}

enum class Load { echo, echo_with_pauses, spin };

void load(int port, Load kind, int client, const std::atomic<bool>& enough, Tally& tally) {
  Caller caller(port);
  const auto spin = nlohmann::json{{"wall_ms", kSpinMs}}.dump();
  for (std::uint64_t i = 0; !enough; ++i) {
    if (kind == Load::spin) {
      count(caller.invoke("spinner", spin), "", tally);
      continue;
    }
    const auto event = nlohmann::json{{"client", client}, {"i", i}}.dump();
    count(caller.invoke("echo", event), event, tally);
    if (kind == Load::echo_with_pauses) std::this_thread::sleep_for(kPause);
  }
}

// Kills a function's process of a random environment every kFaultPeriod. Returns how many.
int make_faults(const Serving& serving, std::chrono::seconds duration) {
  Caller caller(serving.port());
  std::minstd_rand random(1);  // the same run again, as far as scheduling allows
  int faults = 0;
  const auto end = Clock::now() + duration;
  for (auto next = Clock::now(); next < end; next += kFaultPeriod) {
    std::this_thread::sleep_until(next);
    const auto environments = caller.environments();
    if (environments.empty()) continue;
    const auto& chosen = environments.at(random() % environments.size())["pid"];
    if (chosen.is_number() && kill_child(serving.program().pid(), chosen)) ++faults;
  }
  return faults;
}

struct Held {
  std::size_t processes;
  std::size_t descriptors;
  std::uint64_t threads;
  std::uint64_t resident_kb;
};

// With no environment left.
Held held_by(const Serving& serving) {
  Caller(serving.port()).retire_all();
  const auto& program = serving.program();
  return {.processes = descendants_of(program.pid()).size(),
          .descriptors = open_descriptors(program.pid()),
          .threads = program.status_kb("Threads:"),
          .resident_kb = program.status_kb("VmRSS:")};
}

void print(const char* when, const Held& held) {
  std::printf("  at rest %-7s %zu processes, %zu descriptors, %llu threads, %.1f MiB resident\n",
              when,
              held.processes,
              held.descriptors,
              static_cast<unsigned long long>(held.threads),
              mebibytes(held.resident_kb));
}

struct LoadRun {
  Tally tally;
  int faults = 0;
};

enum class Faults { none, every_period };

void run_load(const Serving& serving, std::chrono::seconds duration, Faults faults, LoadRun& run) {
  std::atomic<bool> enough = false;
  std::vector<std::thread> clients;
  constexpr std::array kLoads = {Load::echo,
                                 Load::echo,
                                 Load::echo_with_pauses,
                                 Load::echo_with_pauses,
                                 Load::spin,
                                 Load::spin};
  for (std::size_t i = 0; i < kLoads.size(); ++i) {
    clients.emplace_back(
        [&, i] { load(serving.port(), kLoads.at(i), static_cast<int>(i), enough, run.tally); });
  }
  if (faults == Faults::every_period) {
    run.faults = make_faults(serving, duration);
  } else {
    std::this_thread::sleep_for(duration);
  }
  enough = true;
  for (auto& client : clients) client.join();
}

}  // namespace

bool soak(std::chrono::seconds duration) {
  title("Load for " + std::to_string(duration.count()) +
        " s, a function killed every 100 ms (wanted: no invocation is lost without an error)");
  const tests::ScratchFolder folder;
  folder.write("template.yaml",
               template_of({function_resource("echo", ECHO_PROJECT),
                            function_resource("spinner", SPINNER_PROJECT)}));
  const Serving serving({}, folder.path().string());
  LoadRun warm_up;
  run_load(serving, kWarmUp, Faults::none, warm_up);
  const auto before = held_by(serving);
  LoadRun run;
  run_load(serving, duration, Faults::every_period, run);
  const auto& tally = run.tally;
  std::printf(
      "  %d processes killed; %llu responded, %llu with a function error, "
      "%llu refused by the service, %llu LOST\n",
      run.faults,
      static_cast<unsigned long long>(tally.responded),
      static_cast<unsigned long long>(tally.errors_told),
      static_cast<unsigned long long>(tally.refused),
      static_cast<unsigned long long>(tally.lost));
  print("before:", before);
  print("after:", held_by(serving));
  return tally.lost == 0 && warm_up.tally.lost == 0;
}

}  // namespace bench
