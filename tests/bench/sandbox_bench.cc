// What holding processes to their limits costs, and how exactly they are held, by each means that
// this host offers. Nothing is asserted: a share can only be exact where nobody else wants the CPU.
#include "emulator/sandbox/host_capabilities.h"
#include "emulator/sandbox/kernel_clock.h"
#include "emulator/sandbox/resource_control.h"
#include "tests/support/member_processes.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace emulator::sandbox;
using tests::MemberProcesses;
using Time = std::chrono::nanoseconds;

constexpr std::chrono::milliseconds kWarmUp{300};
constexpr std::chrono::milliseconds kMeasured{4'000};
constexpr int kRounds = 500;

std::string text_of(const char* file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

CgroupPlaces found_places() {
  return find_cgroups(text_of("/proc/self/cgroup"), text_of("/proc/self/mountinfo"));
}

void pass(std::chrono::milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

double microseconds(Time time) { return std::chrono::duration<double, std::micro>(time).count(); }

[[noreturn]] void spin(volatile std::uint64_t& rounds) {
  while (true) rounds = rounds + 1;
}

[[noreturn]] void spin_twice(volatile std::uint64_t& rounds) {
  std::uint64_t other = 0;
  std::thread thread([&other] { spin(other); });
  spin(rounds);
}

IsolationPlan cpu_plan(CpuMeans means) {
  IsolationPlan plan;
  plan.cpu = means;
  return plan;
}

void print_share(CpuMeans means, int memory, void (*body)(volatile std::uint64_t&)) {
  constexpr int kMemoryOfOneCpu = 1769;
  ResourceController controller(
      cpu_plan(means), found_places(), "hearth-" + std::to_string(::getpid()));
  MemberProcesses members;
  const auto control =
      controller.make({.cpu_quota = kCpuPeriod * memory / kMemoryOfOneCpu, .members = &members});
  if (!control) return static_cast<void>(std::printf("  %s\n", control.error().message.c_str()));
  const pid_t spinner = members.start((*control)->membership(), body);
  pass(kWarmUp);
  const auto begun = kernel_now();
  const auto used_before = cpu_time_of(spinner).value_or(Time{});
  pass(kMeasured);
  const auto used = cpu_time_of(spinner).value_or(Time{}) - used_before;
  const auto elapsed = kernel_now() - begun;
  members.end();
  const double wanted = static_cast<double>(memory) / kMemoryOfOneCpu;
  const double share = static_cast<double>(used.count()) / static_cast<double>(elapsed.count());
  std::printf("  %5d MB   wanted %.4f   measured %.4f   %+5.2f %%\n",
              memory,
              wanted,
              share,
              (share / wanted - 1) * 100);
}

void shares(const char* name, CpuMeans means) {
  for (const auto& [threads, body] : {std::pair{1, &spin}, std::pair{2, &spin_twice}}) {
    std::printf("\nShare of a CPU by %s, %d spinning (wanted: within 3 %%)\n", name, threads);
    for (const int memory : {128, 256, 512, 1024, 1769}) print_share(means, memory, body);
  }
}

void print(const char* name, std::vector<Time> times) {
  std::sort(times.begin(), times.end());
  std::printf("  %-24s p50 %8.1f us   p99 %8.1f us\n",
              name,
              microseconds(times[times.size() / 2]),
              microseconds(times[times.size() * 99 / 100]));
}

template <typename Act>
Time time_of(const Act& act) {
  const auto begun = kernel_now();
  act();
  return kernel_now() - begun;
}

// What a process pays to become a member; it tells through its counter.
Time joining(const ResourceControl& control) {
  MemberProcesses processes;
  const pid_t pid = processes.start({}, [&control](volatile std::uint64_t& told) {
    const auto time = time_of([&control] {
      for (const int group : control.membership()) {
        if (::write(group, "0", 1) != 1) ::_exit(1);
      }
    });
    told = static_cast<std::uint64_t>(time.count());
    ::_exit(0);
  });
  processes.await(pid);
  return Time(processes.counter(pid));
}

void costs(const char* name, const IsolationPlan& plan) {
  std::printf("\nWhat control costs with %s\n", name);
  ResourceController controller(plan, found_places(), "hearth-" + std::to_string(::getpid()));
  MemberProcesses members;
  const ResourceRequest request{.memory_bytes = std::uint64_t{128} * 1024 * 1024,
                                .temporary_used = [] { return std::uint64_t{0}; },
                                .processes = 1024,
                                .members = &members,
                                .memory_exceeded = [] {}};
  const auto made = controller.make(request);
  if (!made) return static_cast<void>(std::printf("  %s\n", made.error().message.c_str()));
  auto& control = **made;
  std::vector<Time> makes;
  std::vector<Time> joins;
  for (int round = 0; round < kRounds / 10; ++round) {
    makes.push_back(time_of([&] { static_cast<void>(controller.make(request)); }));
    joins.push_back(joining(control));
  }
  print("make and remove", makes);
  print("join", joins);

  members.start(control.membership(), [](auto&) {
    while (true) ::pause();
  });
  pass(kWarmUp);
  std::vector<Time> freezes;
  std::vector<Time> thaws;
  std::vector<Time> reads;
  for (int round = 0; round < kRounds; ++round) {
    freezes.push_back(time_of([&] { static_cast<void>(control.freeze()); }));
    pass(std::chrono::milliseconds(1));
    thaws.push_back(time_of([&] { static_cast<void>(control.thaw()); }));
    reads.push_back(time_of([&] { static_cast<void>(control.memory()); }));
    pass(std::chrono::milliseconds(1));
  }
  print("freeze", freezes);
  print("thaw", thaws);
  print("read memory", reads);
  members.end();
}

template <typename Means>
Means means_at(const std::optional<CgroupPlace>& place, Means otherwise) {
  if (!place) return otherwise;
  return place->version == CgroupPlace::Version::v1 ? Means::cgroup_v1 : Means::cgroup_v2;
}

}  // namespace

int main() {
  const auto places = found_places();
  if (places.cpu) shares("control group", means_at(places.cpu, CpuMeans::none));
  shares("stopping and continuing", CpuMeans::stop_and_continue);

  IsolationPlan groups;
  groups.memory = means_at(places.memory, MemoryMeans::watcher);
  groups.cpu = means_at(places.cpu, CpuMeans::stop_and_continue);
  groups.freeze = means_at(places.freezer, FreezeMeans::stop_and_continue);
  groups.process_count = means_at(places.pids, ProcessCountMeans::none);
  if (places.freezer) costs("control groups", groups);
  IsolationPlan fallbacks;
  fallbacks.memory = MemoryMeans::watcher;
  fallbacks.cpu = CpuMeans::stop_and_continue;
  fallbacks.freeze = FreezeMeans::stop_and_continue;
  costs("signals and looks", fallbacks);
  return 0;
}
