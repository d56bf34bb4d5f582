#include "emulator/sandbox/isolation_plan.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace emulator::sandbox;
using Obstacle = HostCapabilities::Obstacle;

CgroupPlace place(CgroupPlace::Version version) { return {version, "/sys/fs/cgroup/hearth"}; }

// A host on which an ordinary user lacks nothing.
HostCapabilities rich_host(CgroupPlace::Version version = CgroupPlace::Version::v2) {
  HostCapabilities host;
  host.kernel = "6.8.0-45-generic";
  host.cpus = 8;
  host.memory_bytes = 16ULL << 30U;
  host.no_function_user = "only root can take on another user";
  host.cgroups.controllers = version;
  host.cgroups.memory = place(version);
  host.cgroups.cpu = place(version);
  host.cgroups.freezer = place(version);
  host.cgroups.pids = place(version);
  return host;
}

HostCapabilities rich_host_as_root() {
  auto host = rich_host();
  host.superuser = true;
  host.no_function_user.clear();
  return host;
}

IsolationPlan planned(const HostCapabilities& host, const IsolationWish& wish = {}) {
  auto plan = plan_isolation(wish, host);
  REQUIRE(plan);
  return *plan;
}

std::string refused(const HostCapabilities& host, const IsolationWish& wish) {
  auto plan = plan_isolation(wish, host);
  REQUIRE_FALSE(plan);
  return plan.error().message;
}

std::vector<std::string> names(const IsolationPlan& plan) {
  std::vector<std::string> all;
  for (const auto& step : plan.steps) all.push_back(step.name);
  return all;
}

bool has_step(const IsolationPlan& plan, const std::string& name) {
  const auto all = names(plan);
  return std::find(all.begin(), all.end(), name) != all.end();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Row {
  std::string what;         // of the downgrade
  std::string remedy_part;  // what its remedy must speak of; empty: there is none
  std::function<void(HostCapabilities&)> take_away;
  std::function<bool(const IsolationPlan&)> holds;
};

std::vector<Row> rows() {
  return {
      {"memory limit by control group",
       "systemd-run --user --scope -p Delegate=yes hearth",
       [](auto& host) {
         host.cgroups.memory.reset();
         host.cgroups.no_memory = "taken away";
       },
       [](const auto& plan) { return plan.memory == MemoryMeans::watcher; }},
      {"CPU share by control group",
       "systemd-run --user --scope -p Delegate=yes hearth",
       [](auto& host) {
         host.cgroups.cpu.reset();
         host.cgroups.no_cpu = "taken away";
       },
       [](const auto& plan) { return plan.cpu == CpuMeans::stop_and_continue; }},
      {"freeze by control group",
       "systemd-run --user --scope -p Delegate=yes hearth",
       [](auto& host) {
         host.cgroups.freezer.reset();
         host.cgroups.no_freezer = "taken away";
       },
       [](const auto& plan) { return plan.freeze == FreezeMeans::stop_and_continue; }},
      {"process limit by control group",
       "systemd-run --user --scope -p Delegate=yes hearth",
       [](auto& host) {
         host.cgroups.pids.reset();
         host.cgroups.no_pids = "taken away";
       },
       [](const auto& plan) { return plan.process_count == ProcessCountMeans::rlimit; }},
      {"namespaces and a root of their own",
       "run Hearth as root",
       [](auto& host) { host.no_namespaces = "taken away"; },
       [](const auto& plan) { return !plan.namespaces && !plan.function_user && !plan.new_proc; }},
      {"namespaces and a root of their own",
       "run Hearth as root",
       [](auto& host) { host.no_user_namespace = "taken away"; },
       [](const auto& plan) { return !plan.namespaces && !plan.user_namespace; }},
      {"namespaces and a root of their own",
       "Linux 5.8",
       [](auto& host) { host.no_pidfd = "taken away"; },
       [](const auto& plan) { return !plan.namespaces; }},
      {"control group namespace",
       "run Hearth as root",
       [](auto& host) { host.no_cgroup_namespace = "taken away"; },
       [](const auto& plan) { return plan.namespaces && !plan.cgroup_namespace; }},
      {"own /proc",
       "run Hearth as root",
       [](auto& host) { host.no_new_proc = "taken away"; },
       [](const auto& plan) { return plan.namespaces && !plan.new_proc; }},
      {"system call filter",
       "CONFIG_SECCOMP_FILTER",
       [](auto& host) { host.no_seccomp = "taken away"; },
       [](const auto& plan) { return !plan.system_call_filter; }},
      {"peer check",
       "--network none",
       [](auto& host) { host.no_socket_diagnosis = "taken away"; },
       [](const auto& plan) { return !plan.check_peers; }},
  };
}

TEST_CASE("where everything can be had nothing is given up", "[isolation_plan]") {
  for (const auto strictness : {Strictness::full, Strictness::degraded}) {
    const auto plan = planned(rich_host(), {.strictness = strictness});
    CHECK(plan.given_up.empty());
    CHECK(plan.strictness == strictness);
    CHECK(plan.user_namespace);
    CHECK(plan.namespaces);
    CHECK(plan.cgroup_namespace);
    CHECK(plan.new_proc);
    CHECK(plan.system_call_filter);
    CHECK(plan.function_user);
    CHECK(plan.check_peers);
    CHECK(plan.memory == MemoryMeans::cgroup_v2);
    CHECK(plan.cpu == CpuMeans::cgroup_v2);
    CHECK(plan.freeze == FreezeMeans::cgroup_v2);
    CHECK(plan.process_count == ProcessCountMeans::cgroup_v2);
    CHECK(summary(plan.given_up).empty());
  }
}

TEST_CASE("the steps of a plan are named and in their order", "[isolation_plan]") {
  const auto plan = planned(rich_host(), {.network = Network::none});
  CHECK(names(plan) == std::vector<std::string>{"memory limit",
                                                "CPU share",
                                                "process limit",
                                                "user namespace",
                                                "namespaces",
                                                "control group namespace",
                                                "network namespace",
                                                "own root",
                                                "own /proc",
                                                "function user",
                                                "process group",
                                                "limits",
                                                "no new privileges",
                                                "system call filter",
                                                "peer check",
                                                "freeze"});
  for (const auto& step : plan.steps) CHECK_FALSE(step.detail.empty());
}

TEST_CASE("what is taken from a host is given up by name with its effect and its remedy",
          "[isolation_plan]") {
  for (const auto& row : rows()) {
    CAPTURE(row.what, row.remedy_part);
    auto host = rich_host();
    row.take_away(host);
    const auto plan = planned(host);
    CHECK(row.holds(plan));
    REQUIRE(plan.given_up.size() == 1);
    const auto& lost = plan.given_up.front();
    CHECK(lost.what == row.what);
    CHECK(lost.why == "taken away");
    CHECK_FALSE(lost.effect.empty());
    CHECK(contains(lost.remedy, row.remedy_part));
    CHECK(contains(summary(plan.given_up), "no " + row.what));
  }
}

TEST_CASE("a full sandbox is refused for each thing that cannot be had", "[isolation_plan]") {
  for (const auto& row : rows()) {
    CAPTURE(row.what);
    auto host = rich_host();
    row.take_away(host);
    const auto message = refused(host, {.strictness = Strictness::full});
    CHECK(contains(message, "--sandbox full"));
    CHECK(contains(message, row.what));
    CHECK(contains(message, row.remedy_part));
  }
}

TEST_CASE("a full sandbox that is refused names everything that is missing", "[isolation_plan]") {
  HostCapabilities host = rich_host();
  host.cgroups = {};
  host.cgroups.no_memory = "no control groups are mounted";
  host.no_namespaces = "this user is not permitted to";
  const auto message = refused(host, {.strictness = Strictness::full});
  for (const auto* part : {"memory limit",
                           "CPU share",
                           "process limit",
                           "namespaces",
                           "freeze",
                           "no control groups"}) {
    CAPTURE(part);
    CHECK(contains(message, part));
  }
}

TEST_CASE("a sandbox of none is processes and nothing else", "[isolation_plan]") {
  const auto plan = planned(rich_host(), {.strictness = Strictness::none});
  CHECK(plan.strictness == Strictness::none);
  CHECK(plan.given_up.empty());
  CHECK(plan.steps == bare_plan().steps);
  CHECK_FALSE(plan.namespaces);
  CHECK_FALSE(plan.system_call_filter);
  CHECK_FALSE(plan.check_peers);
  CHECK(plan.memory == MemoryMeans::none);
  CHECK(plan.cpu == CpuMeans::none);
  CHECK(plan.freeze == FreezeMeans::none);
  CHECK(plan.process_count == ProcessCountMeans::none);
}

TEST_CASE("a sandbox of none goes with neither a network nor a root of its own",
          "[isolation_plan]") {
  const auto host = rich_host_as_root();
  CHECK(contains(refused(host, {.strictness = Strictness::none, .network = Network::none}),
                 "--network"));
  CHECK(contains(refused(host, {.strictness = Strictness::none, .root_image = true}), "--rootfs"));
}

TEST_CASE("the superuser needs no user namespace where the function's user exists",
          "[isolation_plan]") {
  auto host = rich_host_as_root();
  host.no_user_namespace = "this kernel does not have it";
  auto plan = planned(host, {.strictness = Strictness::full});
  CHECK(plan.namespaces);
  CHECK(plan.function_user);
  CHECK_FALSE(plan.user_namespace);
  CHECK_FALSE(has_step(plan, "user namespace"));

  host.no_user_namespace.clear();
  host.no_function_user = "user 993 or group 990 does not exist in this user namespace";
  plan = planned(host, {.strictness = Strictness::full});
  CHECK(plan.user_namespace);
  CHECK(plan.function_user);
}

TEST_CASE("without namespaces the filter, the peer check and the limits stay", "[isolation_plan]") {
  auto host = rich_host();
  host.no_namespaces = "this user is not permitted to";
  const auto plan = planned(host);
  CHECK(plan.system_call_filter);
  CHECK(plan.check_peers);
  CHECK(plan.memory == MemoryMeans::cgroup_v2);
  CHECK_FALSE(plan.function_user);
  CHECK(has_step(plan, "process group"));
  CHECK(has_step(plan, "no new privileges"));
  CHECK_FALSE(has_step(plan, "own root"));
}

TEST_CASE("each known obstacle to namespaces has a remedy of its own", "[isolation_plan]") {
  struct {
    Obstacle obstacle;
    std::string setting;
    std::vector<std::string> parts;
  } const cases[] = {
      {Obstacle::apparmor,
       "kernel.apparmor_restrict_unprivileged_userns=0",
       {"sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0", "AppArmor profile"}},
      {Obstacle::sysctl,
       "kernel.unprivileged_userns_clone=1",
       {"sudo sysctl -w kernel.unprivileged_userns_clone=1"}},
      {Obstacle::sysctl,
       "user.max_user_namespaces=10000",
       {"sudo sysctl -w user.max_user_namespaces=10000"}},
      {Obstacle::container,
       "",
       {"seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"}},
  };
  for (const auto& known : cases) {
    auto host = rich_host();
    host.obstacle = known.obstacle;
    host.setting = known.setting;
    host.no_namespaces = "this user is not permitted to";
    const auto plan = planned(host);
    REQUIRE(plan.given_up.size() == 1);
    for (const auto& part : known.parts) {
      CAPTURE(part, plan.given_up.front().remedy);
      CHECK(contains(plan.given_up.front().remedy, part));
    }
  }
}

TEST_CASE("an obstacle that does not stand in the way is not spoken of", "[isolation_plan]") {
  auto host = rich_host_as_root();
  host.obstacle = Obstacle::container;
  CHECK(planned(host, {.strictness = Strictness::full}).given_up.empty());
}

TEST_CASE("a container that masks /proc costs /proc and tells the option for it",
          "[isolation_plan]") {
  auto host = rich_host_as_root();
  host.obstacle = Obstacle::container;
  host.no_new_proc = "this user is not permitted to";
  const auto plan = planned(host);
  REQUIRE(plan.given_up.size() == 1);
  CHECK(plan.namespaces);
  CHECK(contains(plan.given_up.front().remedy, "--security-opt systempaths=unconfined"));
}

TEST_CASE("the remedy for control groups is the one that works on that host", "[isolation_plan]") {
  const auto remedy = [](HostCapabilities host) {
    host.cgroups.cpu.reset();
    const auto plan = planned(host);
    REQUIRE(plan.given_up.size() == 1);
    return plan.given_up.front().remedy;
  };
  CHECK(contains(remedy(rich_host()), "systemd-run --user --scope -p Delegate=yes"));
  CHECK(contains(remedy(rich_host_as_root()), "systemd-run --scope -p Delegate=yes"));
  CHECK(remedy(rich_host(CgroupPlace::Version::v1)) == "run Hearth as root");
  auto container = rich_host_as_root();
  container.obstacle = Obstacle::container;
  CHECK(contains(remedy(container), "--privileged"));
}

TEST_CASE("means follow the version of the hierarchy in which they were found",
          "[isolation_plan]") {
  auto host = rich_host(CgroupPlace::Version::v1);
  host.cgroups.freezer = place(CgroupPlace::Version::v2);
  const auto plan = planned(host, {.strictness = Strictness::full});
  CHECK(plan.memory == MemoryMeans::cgroup_v1);
  CHECK(plan.cpu == CpuMeans::cgroup_v1);
  CHECK(plan.process_count == ProcessCountMeans::cgroup_v1);
  CHECK(plan.freeze == FreezeMeans::cgroup_v2);
}

TEST_CASE("processes are counted by a resource limit only where it counts one sandbox's",
          "[isolation_plan]") {
  const auto counted = [](HostCapabilities host) {
    host.cgroups.pids.reset();
    return planned(host).process_count;
  };
  CHECK(counted(rich_host()) == ProcessCountMeans::rlimit);
  CHECK(counted(rich_host_as_root()) == ProcessCountMeans::none);
  auto old_kernel = rich_host();
  for (const auto* kernel : {"5.13.19", "5.4.0-150-generic", "4.19", "unknown"}) {
    old_kernel.kernel = kernel;
    CHECK(counted(old_kernel) == ProcessCountMeans::none);
  }
  auto alone = rich_host();
  alone.no_namespaces = "taken away";
  CHECK(counted(alone) == ProcessCountMeans::none);
}

TEST_CASE("a network of its own is had or refused, never given up", "[isolation_plan]") {
  for (const auto network : {Network::none, Network::own_outward}) {
    auto host = rich_host();
    CHECK(planned(host, {.network = network}).network == network);
    CHECK(has_step(planned(host, {.network = network}), "network namespace"));

    host.no_network_namespace = "this kernel does not have it";
    CHECK(contains(refused(host, {.network = network}), "this kernel does not have it"));

    host = rich_host();
    host.no_namespaces = "this user is not permitted to";
    host.obstacle = Obstacle::sysctl;
    host.setting = "kernel.unprivileged_userns_clone=1";
    CHECK(contains(refused(host, {.network = network}), "kernel.unprivileged_userns_clone=1"));
  }
  CHECK_FALSE(has_step(planned(rich_host()), "network namespace"));
}

TEST_CASE("traffic outwards needs pasta, and the refusal names the package", "[isolation_plan]") {
  auto host = rich_host();
  host.no_pasta = "pasta is not installed";
  CHECK(contains(refused(host, {.network = Network::own_outward}), "passt"));
  CHECK(contains(refused(host, {.network = Network::own_outward}), "--network private"));
  CHECK(planned(host, {.network = Network::none}).given_up.empty());
  CHECK(planned(host).given_up.empty());
}

TEST_CASE("traffic outwards needs the device that pasta carries it through", "[isolation_plan]") {
  auto host = rich_host();
  host.no_tunnel = "this user may not open /dev/net/tun";
  const auto message = refused(host, {.network = Network::own_outward});
  CHECK(contains(message, "this user may not open /dev/net/tun"));
  CHECK(contains(message, "chmod 666 /dev/net/tun"));
  CHECK(planned(host, {.network = Network::none}).given_up.empty());
}

TEST_CASE("a root image needs an overlay and namespaces", "[isolation_plan]") {
  auto host = rich_host();
  const auto step_of = [](const IsolationPlan& plan) {
    return std::find_if(plan.steps.begin(),
                        plan.steps.end(),
                        [](const PlannedStep& step) { return step.name == "own root"; })
        ->detail;
  };
  CHECK(contains(step_of(planned(host, {.root_image = true})), "image"));
  CHECK_FALSE(contains(step_of(planned(host)), "image"));

  host.no_overlay = "this kernel does not have it";
  CHECK(contains(refused(host, {.root_image = true}), "--rootfs"));
  CHECK(planned(host, {.strictness = Strictness::full}).given_up.empty());

  host = rich_host();
  host.no_namespaces = "this user is not permitted to";
  CHECK(contains(refused(host, {.root_image = true}), "--rootfs"));
}

TEST_CASE("in a network of its own nobody has to be asked who a peer is", "[isolation_plan]") {
  auto host = rich_host();
  host.no_socket_diagnosis = "this kernel does not have it";
  CHECK(planned(host, {.strictness = Strictness::full, .network = Network::none}).given_up.empty());
  CHECK(planned(host).given_up.size() == 1);
}

TEST_CASE("what was given up is told in one line", "[isolation_plan]") {
  CHECK(summary({}).empty());
  const auto line = summary({{"memory limit by control group", "why", "effect", "remedy"},
                             {"peer check", "why", "effect", ""}});
  CHECK(contains(line, "degraded: no memory limit by control group, no peer check"));
  CHECK(line.find('\n') == std::string::npos);
}

// The first cell of each row of the table below a heading of docs/sandbox.md.
std::vector<std::string> documented(const std::string& heading) {
  std::ifstream document(std::string(HEARTH_SOURCE_DIR) + "/docs/sandbox.md");
  std::vector<std::string> cells;
  bool inside = false;
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("## ")) inside = line == "## " + heading;
    if (!inside || !line.starts_with("| ")) continue;
    cells.push_back(line.substr(2, line.find(" |", 2) - 2));
  }
  if (!cells.empty()) cells.erase(cells.begin());  // the table's own heading
  return cells;
}

TEST_CASE("the sandbox's document lists the steps of the plan in their order", "[isolation_plan]") {
  CHECK(documented("Steps") == names(planned(rich_host(), {.network = Network::none})));
}

TEST_CASE("the sandbox's document tells of everything that may be given up", "[isolation_plan]") {
  std::set<std::string> known = {"process limit"};
  for (const auto& row : rows()) known.insert(row.what);
  const auto told = documented("What is given up where");
  CHECK(std::set<std::string>(told.begin(), told.end()) == known);
  CHECK(told.size() == known.size());
}

}  // namespace
