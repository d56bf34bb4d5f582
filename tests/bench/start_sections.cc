#include "emulator/sandbox/host_capabilities.h"
#include "emulator/sandbox/isolation_plan.h"
#include "emulator/sandbox/linux_sandbox.h"
#include "tests/bench/bubblewrap.h"
#include "tests/bench/figures.h"
#include "tests/bench/sections.h"
#include "tests/bench/serving.h"

#include <nlohmann/json.hpp>

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <thread>

namespace bench {

using namespace emulator::sandbox;

namespace {

const std::string kEcho = "EchoFunction";
const std::string kEvent = R"({"hello":"world"})";

// Twenty times what an environment waits before it freezes, and what a machine at rest takes to go
// to sleep.
constexpr std::chrono::milliseconds kIdle{20};

constexpr std::uint64_t kMemoryBytes = 128ULL * 1024 * 1024;

// Milliseconds of one way to start, over all rounds.
struct Way {
  const char* name;
  std::vector<double> took;

  double p50() const { return at_percent(took, 50); }
  void print() const {
    std::printf("  %-44s p50 %7.3f ms   p90 %7.3f ms   p99 %7.3f ms\n",
                name,
                p50(),
                at_percent(took, 90),
                at_percent(took, 99));
  }
};

SandboxRequest first_byte_request() {
  SandboxRequest request;
  request.view.folders = {{.host = FIRST_BYTE_FOLDER, .seen = "/var/task"}};
  request.memory_bytes = kMemoryBytes;
  request.max_processes = 1024;
  return request;
}

// From the wish for a sandbox to the first byte of the program in it. What follows is not timed.
Nanoseconds start_in_sandbox(LinuxLauncher& launcher, const std::string& program) {
  const auto started = std::chrono::steady_clock::now();
  auto sandbox = launcher.make(first_byte_request());
  if (!sandbox) give_up(sandbox.error().message);
  StartRequest start;
  start.program = {.argv = {program}, .environment = {}, .working_folder = "/"};
  auto process = (*sandbox)->start(start);
  if (!process) give_up(process.error().message);
  pollfd output{.fd = (*process)->output_descriptor(), .events = POLLIN, .revents = 0};
  ::poll(&output, 1, -1);
  char byte = 0;
  const bool came = ::read(output.fd, &byte, 1) == 1;
  const auto took = std::chrono::steady_clock::now() - started;
  if (!came) give_up(program + " wrote nothing in its sandbox");
  return took;
}

// The launcher alone, so that like is compared with like.
void start_one_program(const IsolationPlan& plan, int rounds) {
  title("Start of one program until its first byte (wanted: the full sandbox before bubblewrap)");
  const std::string program = FIRST_BYTE_FOLDER "/first_byte";
  LinuxLauncher full(plan);
  LinuxLauncher none(bare_plan());
  std::optional<Bubblewrap> bubblewrap;
  if (Bubblewrap::installed()) {
    bubblewrap.emplace(plan, first_byte_request().view, "/var/task/first_byte");
  }
  Way bare{"posix_spawn", {}};
  Way without{"launcher, sandbox none", {}};
  Way with{"launcher, sandbox full", {}};
  Way wrapped{"bubblewrap, same namespaces, root and filter", {}};
  for (int round = 0; round < rounds; ++round) {
    bare.took.push_back(milliseconds(spawn_to_first_byte({program})));
    without.took.push_back(milliseconds(start_in_sandbox(none, program)));
    with.took.push_back(milliseconds(start_in_sandbox(full, "/var/task/first_byte")));
    if (bubblewrap) wrapped.took.push_back(milliseconds(bubblewrap->start()));
  }
  bare.print();
  without.print();
  with.print();
  if (!bubblewrap) {
    std::printf("  SKIPPED: bubblewrap is not installed; run: cmake/install-dependencies bench\n");
    return;
  }
  wrapped.print();
  std::printf("  above posix_spawn at p50: full %.3f ms, bubblewrap %.3f ms, ratio %.2f\n",
              with.p50() - bare.p50(),
              wrapped.p50() - bare.p50(),
              (with.p50() - bare.p50()) / (wrapped.p50() - bare.p50()));
}

void cold_invocation(int rounds) {
  title("Cold invoke (wanted: the full sandbox at most 2 ms above none at p50)");
  struct Served {
    const Serving serving;
    Caller caller{serving.port()};
    Way total;
    Way init;
  };
  Served none{.serving = {{"--sandbox", "none"}, ECHO_PROJECT},
              .total = {"none: request to response", {}},
              .init = {"none: Init Duration", {}}};
  Served full{.serving = {{"--sandbox", "full"}, ECHO_PROJECT},
              .total = {"full: request to response", {}},
              .init = {"full: Init Duration", {}}};
  int without_init = 0;
  for (int round = 0; round < rounds; ++round) {
    for (auto* one : {&none, &full}) {
      one->caller.retire_all();
      const auto call = one->caller.invoke(kEcho, kEvent);
      if (call.body != kEvent) give_up("a cold invoke failed: " + call.body);
      one->total.took.push_back(milliseconds(call.took));
      const auto init = one->caller.record_of(call)["init_ms"];
      if (init.is_number()) {
        one->init.took.push_back(init);
      } else {
        ++without_init;
      }
    }
  }
  none.total.print();
  full.total.print();
  none.init.print();
  full.init.print();
  std::printf("  full above none at p50: %.3f ms; records without an Init Duration: %d\n",
              full.total.p50() - none.total.p50(),
              without_init);
}

}  // namespace

void cold_start(int rounds) {
  const auto plan = plan_isolation({.strictness = Strictness::full}, probe_host());
  if (!plan) {
    title("Cold start in the full sandbox");
    std::printf("  SKIPPED: %s\n", plan.error().message.c_str());
    return;
  }
  start_one_program(*plan, rounds);
  cold_invocation(rounds);
}

void thaw(int rounds) {
  title("Warm invoke after 20 ms of rest (wanted: with --freeze on at most 0.15 ms more at p50)");
  struct Served {
    const Serving serving;
    Caller caller{serving.port()};
    Way way;
    int frozen = 0;
  };
  Served on{.serving = {{"--freeze", "on"}, ECHO_PROJECT}, .way = {"--freeze on", {}}};
  Served off{.serving = {{"--freeze", "off"}, ECHO_PROJECT}, .way = {"--freeze off", {}}};
  on.caller.invoke(kEcho, kEvent);
  off.caller.invoke(kEcho, kEvent);
  for (int round = 0; round < rounds; ++round) {
    for (auto* one : {&off, &on}) {
      std::this_thread::sleep_for(kIdle);
      if (one->caller.environments().at(0).value("frozen", false)) ++one->frozen;
      const auto call = one->caller.invoke(kEcho, kEvent);
      if (call.body != kEvent) give_up("a warm invoke failed: " + call.body);
      one->way.took.push_back(milliseconds(call.took));
    }
  }
  off.way.print();
  on.way.print();
  std::printf("  frozen before the invoke: %d and %d of %d; more at p50: %.3f ms\n",
              off.frozen,
              on.frozen,
              rounds,
              on.way.p50() - off.way.p50());
}

}  // namespace bench
