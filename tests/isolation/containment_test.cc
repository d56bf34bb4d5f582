// Hostile programs in the sandbox, one misbehaviour each: what they get, and what becomes of them.
#include "tests/isolation/sandboxed_testee.h"
#include "tests/support/host_requirements.h"
#include "tests/support/raw_connection.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/traces.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

using namespace isolation_test;
using namespace emulator::sandbox;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

// The superuser's home, and in /proc the root of a process: a place that every machine has.
const std::string kRootsHome = fs::path("/") / "root";

constexpr std::uint64_t kMebibyte = 1ULL << 20;

std::string host_process_namespace() { return fs::read_symlink("/proc/self/ns/pid").string(); }

// Each act with what came of it, for a failure's text and for comparison.
std::vector<std::string> told(const std::vector<Attempt>& attempts,
                              const SandboxRequest& request = testee_request()) {
  const auto results = results_of(attempts, request);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < attempts.size(); ++at) {
    const auto& [act, target] = attempts[at];
    lines.push_back(act + (target.empty() ? "" : " " + target) + ": " + results[at]);
  }
  return lines;
}

// Those that did not end with one of the errors.
std::vector<std::string> not_refused(const std::vector<Attempt>& attempts,
                                     const std::set<std::string>& errors,
                                     const SandboxRequest& request = testee_request()) {
  auto lines = told(attempts, request);
  std::erase_if(lines, [&](const std::string& line) {
    return errors.contains(line.substr(line.rfind(' ') + 1));
  });
  return lines;
}

const std::set<std::string> kOutOfReach = {"ENOENT", "EACCES", "EPERM", "ESRCH", "ENOTDIR"};
const std::vector<std::string> kNone;

// A folder that is someone's code or layer, which any user may enter.
class CodeFolder : public tests::ScratchFolder {
 public:
  CodeFolder() { ::chmod(path().c_str(), 0755); }
  RootView::Folder at(const std::string& seen) const {
    return {.host = path().string(), .seen = seen};
  }
};

// A server of the test's own on a free port, that never accepts by itself.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(socket_, 8) == 0);
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() {
    if (connection_ >= 0) ::close(connection_);
    ::close(socket_);
  }

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // The port of who connects next.
  std::uint16_t accept() {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    connection_ = ::accept4(socket_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC);
    REQUIRE(connection_ >= 0);
    return ntohs(peer.sin_port);
  }

 private:
  int socket_;
  int connection_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace

TEST_CASE("a function is the user of the service, without privileges, in namespaces of its own",
          "[containment]") {
  tests::requires_own_proc();
  const auto seen = answer_of("env_printer");
  INFO(seen.dump(1));
  CHECK(seen["user"] == 993);
  CHECK(seen["group"] == 990);
  CHECK(seen["user_name"] == "sbx_user1051");
  CHECK(seen["working_folder"] == "/var/task");
  CHECK(seen["hosts"].get<std::string>().find("sandbox.localdomain") != std::string::npos);
  const auto& status = seen["status"];
  for (const auto* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    CHECK(status[set] == "0000000000000000");
  }
  CHECK(status["NoNewPrivs"] == "1");
  for (const auto* kind : {"ipc", "mnt", "pid", "uts"}) {
    INFO(kind);
    const auto link = fs::read_symlink(std::string("/proc/self/ns/") + kind).string();
    CHECK(seen["namespaces"][kind] != link);
  }
}

TEST_CASE("a function has the limits of the service, and its variables and descriptors alone",
          "[containment]") {
  const auto seen = answer_of("env_printer", {"GREETING=hello"});
  INFO(seen.dump(1));
  CHECK(seen["limits"]["open_files"] == json{{"soft", 1024}, {"hard", 1024}});
  CHECK(seen["limits"]["locked_memory"] == json{{"soft", 65'536}, {"hard", 65'536}});
  CHECK(seen["limits"]["stack"]["soft"] == 8'388'608);
  CHECK(seen["environment"] ==
        json{{"TESTEE_MODE", "env_printer"}, {"PATH", "/usr/bin:/bin"}, {"GREETING", "hello"}});
  CHECK(seen["descriptors"].size() == 3);
}

TEST_CASE("a function finds few devices, its own processes, and nothing of the host's mounts",
          "[containment]") {
  tests::requires_own_proc();
  const auto seen = answer_of("env_printer");
  INFO(seen.dump(1));
  const std::set<std::string> harmless = {"fd",
                                          "full",
                                          "null",
                                          "ptmx",
                                          "pts",
                                          "random",
                                          "shm",
                                          "stderr",
                                          "stdin",
                                          "stdout",
                                          "tty",
                                          "urandom",
                                          "zero",
                                          "mqueue",
                                          "console"};
  for (const std::string device : seen["devices"]) {
    INFO(device);
    CHECK(harmless.contains(device));
  }
  for (const auto* needed : {"null", "zero", "random", "urandom", "full"}) {
    INFO(needed);
    CHECK(std::count(seen["devices"].begin(), seen["devices"].end(), needed) == 1);
  }
  int processes = 0;
  for (const std::string name : seen["processes"]) {
    if (name.find_first_not_of("0123456789") == std::string::npos) ++processes;
  }
  CHECK(processes <= 2);  // the first one, and it
  for (const auto& mount : seen["mounts"]) {
    const std::string target = mount["target"];
    INFO(mount.dump());
    // Nobody of ours is led to what only the host may see.
    for (const auto* hidden : {"/home", kRootsHome.c_str(), "/old_root", "/sys/fs/cgroup"}) {
      CHECK_FALSE(target.starts_with(hidden));
    }
    if (target == "/var/task") {
      CHECK((mount["options"].get<std::string>() + ",").starts_with("ro,"));
    }
  }
}

TEST_CASE("system calls that reach for the host are answered with EPERM", "[containment]") {
  tests::requires_system_call_filter();
  const std::vector<Attempt> forbidden = {{"mount", ""},
                                          {"unmount", "/proc"},
                                          {"pivot_root", ""},
                                          {"open_file_system", ""},
                                          {"clone_tree", ""},
                                          {"unshare_user", ""},
                                          {"clone_user", ""},
                                          {"load_bpf", ""},
                                          {"use_keyring", ""},
                                          {"add_key", ""},
                                          {"load_kernel", ""},
                                          {"watch_performance", ""},
                                          {"set_up_io_uring", ""},
                                          {"load_module", ""},
                                          {"restart_host", ""},
                                          {"swap", ""},
                                          {"set_time", ""},
                                          {"open_by_handle", ""},
                                          {"join_namespace", "/proc/self/ns/net"}};
  CHECK(not_refused(forbidden, {"EPERM"}) == kNone);
}

TEST_CASE("a new user namespace is not to be had by the newer call either", "[containment]") {
  tests::requires_system_call_filter();
  // Its arguments cannot be seen by a filter; with this answer, libraries turn to the older call.
  CHECK(told({{"clone3_user", ""}}) == std::vector<std::string>{"clone3_user: ENOSYS"});
}

TEST_CASE("rights that a function was not given cannot be gained", "[containment]") {
  tests::requires_namespaces();
  const std::vector<Attempt> forbidden = {{"become_root", ""},
                                          {"drop_groups", ""},
                                          {"gain_capabilities", ""},
                                          {"make_device", ""},
                                          {"change_root", ""},
                                          {"unshare_mounts", ""},
                                          {"name_host", ""},
                                          {"read_kernel_log", ""},
                                          {"listen_to_packets", ""},
                                          {"send_raw_packets", ""},
                                          {"raise_limits", ""},
                                          {"gain_priority", ""},
                                          {"run_in_real_time", ""},
                                          {"make_writable", "/usr"}};
  CHECK(not_refused(forbidden, {"EPERM", "EACCES", "EINVAL"}) == kNone);
}

TEST_CASE("secrets and homes of the host cannot be read", "[containment]") {
  tests::requires_namespaces();
  const tests::ScratchFolder secret;
  const auto file = secret.write("secret", "x");
  ::chmod(secret.path().c_str(), 0755);
  const std::string home = ::getenv("HOME") != nullptr ? ::getenv("HOME") : kRootsHome;
  const std::vector<Attempt> attempts = {{"read", "/etc/shadow"},
                                         {"read", "/etc/gshadow"},
                                         {"list", home == "/" ? kRootsHome : home},
                                         {"list", kRootsHome},
                                         {"list", HEARTH_SOURCE_DIR},
                                         {"list", secret.path().string()},
                                         {"read", file},
                                         {"read_through_link", file},
                                         {"read_through_link", "/etc/shadow"},
                                         {"read", "/dev/sda"},
                                         {"read", "/dev/vda"},
                                         {"read", "/dev/mem"},
                                         {"read", "/dev/kmsg"},
                                         {"read", "/proc/kcore"}};
  CHECK(not_refused(attempts, kOutOfReach) == kNone);
}

TEST_CASE("code, layers and system folders cannot be changed", "[containment]") {
  tests::requires_namespaces();
  const CodeFolder layer;
  const auto file = layer.write("a.txt", "a");
  ::chmod(file.c_str(), 0666);
  ::chmod(layer.path().c_str(), 0777);
  auto request = testee_request();
  request.view.folders.push_back(layer.at("/opt"));
  const std::vector<Attempt> attempts = {{"create", "/opt/b.txt"},
                                         {"write", "/opt/a.txt"},
                                         {"remove", "/opt/a.txt"},
                                         {"make_folder", "/opt/folder"},
                                         {"create", "/var/task/b.txt"},
                                         {"remove", "/var/task/bootstrap"}};
  CHECK(not_refused(attempts, {"EROFS"}, request) == kNone);
  const std::vector<Attempt> also = {{"write", "/var/task/bootstrap"},
                                     {"write", "/proc/self/exe"},
                                     {"write", "/proc/1/exe"},
                                     {"create", "/usr/bin/b"},
                                     {"create", "/etc/b"},
                                     {"create", "/b"},
                                     {"write", "/etc/passwd"},
                                     {"write", "/proc/sys/kernel/core_pattern"},
                                     {"write", "/proc/sysrq-trigger"},
                                     {"write", "/proc/sys/vm/drop_caches"},
                                     {"make_writable", "/opt"},
                                     {"make_writable", "/var/task"},
                                     {"unmount", "/var/task"}};
  CHECK(not_refused(also, {"EROFS", "EACCES", "EPERM", "ETXTBSY", "ENOENT"}, request) == kNone);
  CHECK(layer.entries() == std::vector<std::string>{"a.txt"});
  CHECK(layer.read("a.txt") == "a");
}

TEST_CASE("/tmp is there to write, and is not the host's", "[containment]") {
  tests::requires_namespaces();
  const tests::ScratchFolder folder;
  const auto name = folder.path().filename().string() + "-not-of-the-host";
  CHECK(told({{"create", "/tmp/" + name}, {"create", "/tmp/" + name}}) ==
        std::vector<std::string>{"create /tmp/" + name + ": done",
                                 "create /tmp/" + name + ": EEXIST"});
  CHECK_FALSE(fs::exists("/tmp/" + name));
}

TEST_CASE("symbolic links in code, a layer or /tmp lead nowhere outside", "[containment]") {
  tests::requires_namespaces();
  const tests::ScratchFolder outside;
  ::chmod(outside.path().c_str(), 0755);
  const auto secret = outside.write("secret", "x");
  const CodeFolder layer;
  fs::create_symlink("/etc/shadow", layer.path() / "shadow");
  fs::create_symlink(secret, layer.path() / "absolute");
  fs::create_symlink("../../../../../../.." + secret, layer.path() / "relative");
  fs::create_symlink("../../../../../../../root", layer.path() / "home");
  fs::create_symlink("/proc/1/root" + secret, layer.path() / "by-process");
  fs::create_symlink("/proc/self/root" + secret, layer.path() / "by-own-process");
  auto request = testee_request();
  request.view.folders.push_back(layer.at("/opt"));
  std::vector<Attempt> attempts;
  for (const auto* name : {"shadow", "absolute", "relative", "by-process", "by-own-process"}) {
    attempts.push_back({"read", std::string("/opt/") + name});
    attempts.push_back({"write", std::string("/opt/") + name});
    attempts.push_back({"create", std::string("/opt/") + name});
  }
  attempts.push_back({"list", "/opt/home"});
  for (const auto* target :
       {"/proc/1/root/etc/shadow", "/proc/1/cwd", "/proc/self/root/../etc/shadow"}) {
    attempts.push_back({"read_through_link", target});
  }
  attempts.push_back({"read_through_link", "../../../../.." + secret});
  attempts.push_back({"read_through_link", "/proc/1/root" + secret});
  auto errors = kOutOfReach;
  errors.insert({"EROFS", "EEXIST", "EISDIR"});  // of the one that creates, and of a folder
  CHECK(not_refused(attempts, errors, request) == kNone);
  CHECK(outside.read("secret") == "x");
}

TEST_CASE("code that is itself a link to a secret is not shown what lies there", "[containment]") {
  tests::requires_namespaces();
  const CodeFolder layer;
  fs::create_directory_symlink(kRootsHome, layer.path() / "inside");
  auto request = testee_request();
  request.view.folders.push_back(layer.at("/opt"));
  CHECK(not_refused({{"list", "/opt/inside"}, {"list", "/opt/inside/"}}, kOutOfReach, request) ==
        kNone);
}

TEST_CASE("processes outside can be neither seen, traced, read nor signalled", "[containment]") {
  tests::requires_own_proc();
  const auto tag = tests::new_tag();
  SandboxedTestee other(testee_start("slow_init", {tag}));
  REQUIRE(tests::soon([&] { return !tests::processes_with(tag).empty(); }));
  const auto me = std::to_string(::getpid());
  const auto theirs = std::to_string(tests::processes_with(tag).at(0));
  CHECK(not_refused({{"signal", me},
                     {"signal", theirs},
                     {"trace", me},
                     {"trace", theirs},
                     {"read_memory", theirs},
                     {"steal_descriptor", theirs},
                     {"read", "/proc/" + theirs + "/environ"},
                     {"read", "/proc/" + theirs + kRootsHome + "/etc/passwd"}},
                    kOutOfReach) == kNone);
  const auto value = tag.substr(tag.find('=') + 1);
  CHECK(results_of({{"search_processes", value}}) == std::vector<std::string>{"[]"});
  CHECK_FALSE(other.process().exited());
}

TEST_CASE("the first process of a sandbox gives nothing away", "[containment]") {
  tests::requires_own_proc();
  tests::requires_function_user();
  CHECK(not_refused({{"trace", "1"},
                     {"read_memory", "1"},
                     {"steal_descriptor", "1"},
                     {"read", "/proc/1/mem"},
                     {"write", "/proc/1/mem"},
                     {"read", "/proc/1/environ"},
                     {"read", "/proc/1/fd/3"},
                     {"list", "/proc/1/root"},
                     {"join_namespace", "/proc/1/ns/mnt"}},
                    kOutOfReach) == kNone);
}

TEST_CASE("a signal to everybody reaches nobody outside, and not the sandbox's first process",
          "[containment]") {
  tests::requires_own_proc();
  SandboxedTestee other(testee_start("slow_init"));
  SandboxedTestee sender(testee_start(
      "attempts",
      {"TESTEE_EVENT=" + json{{{"act", "signal_everybody"}, {"target", host_process_namespace()}},
                              {{"act", "reachable_processes"}, {"target", "40000"}}}
                             .dump()}));
  const auto results = sender.answer();
  INFO(results.dump());
  CHECK((results[0] == "ESRCH" || results[0] == "done"));
  CHECK((results[1] == "[]" || results[1] == "[1]"));
  CHECK(sender.await_exit() == Exit{.code = 0, .signal = {}});
  CHECK_FALSE(other.process().exited());
  sender.start(testee_start("attempts", {"TESTEE_EVENT=[]"}));  // what held it still stands
  CHECK(sender.answer() == json::array());
}

TEST_CASE("who passes the memory limit is ended, alone or with children", "[containment]") {
  tests::requires_cgroup_memory();
  for (const auto* mode : {"hogs_memory",
                           "hogs_memory_in_init",
                           "child_hogs_memory",
                           "children_hog_memory",
                           "hogs_memory_behind_a_descriptor"}) {
    INFO(mode);
    auto request = testee_request();
    request.memory_bytes = 64 * kMebibyte;
    SandboxedTestee hog(testee_start(mode), request);
    // Where the kernel ends only the largest process, another may end by itself before it is ended.
    const auto exit = hog.await_exit();
    CHECK((exit.signal == SIGKILL || std::string_view(mode).starts_with("child")));
    const auto usage = hog.sandbox().usage();
    CHECK(usage.memory_exceeded);
    CHECK(usage.peak_memory_bytes >= 60 * kMebibyte);
    CHECK(usage.peak_memory_bytes <= 65 * kMebibyte);
    hog.start(testee_start("attempts", {"TESTEE_EVENT=[]"}));
    CHECK(hog.answer() == json::array());
    CHECK_FALSE(hog.sandbox().usage().memory_exceeded);
  }
}

TEST_CASE("memory below the limit is had, and its peak is told", "[containment]") {
  tests::requires_cgroup_memory();
  SandboxedTestee user(
      testee_start("hogs_memory", {"TESTEE_BYTES=" + std::to_string(100 * kMebibyte)}));
  CHECK(user.answer() == json{{"bytes", 100 * kMebibyte}, {"error", ""}});
  user.await_exit();
  CHECK(user.sandbox().usage().peak_memory_bytes >= 100 * kMebibyte);
  CHECK_FALSE(user.sandbox().usage().memory_exceeded);
}

TEST_CASE("/tmp has the size that was asked for, and is not counted as memory", "[containment]") {
  tests::requires_namespaces();
  auto request = testee_request();
  request.view.temporary_bytes = 512 * kMebibyte;
  const auto fitting = std::to_string(400 * kMebibyte);
  SandboxedTestee user(testee_start("fills_disk", {"TESTEE_BYTES=" + fitting}), request);
  CHECK(user.answer() == json{{"bytes", 400 * kMebibyte}, {"error", ""}});
  CHECK(user.await_exit() == Exit{.code = 0, .signal = {}});
  CHECK_FALSE(user.sandbox().usage().memory_exceeded);
  // What an earlier start left is still there.
  user.start(testee_start("fills_disk", {"TESTEE_FILE=/tmp/second"}));
  CHECK(user.answer() == json{{"bytes", 112 * kMebibyte}, {"error", "ENOSPC"}});
}

TEST_CASE("/tmp cannot be filled with names for ever", "[containment]") {
  tests::requires_namespaces();
  tests::requires_cgroup_memory();
  SandboxedTestee maker(testee_start("fills_disk_with_files"));
  const auto text = maker.line();
  INFO(text);
  // Names are the kernel's memory: either they end first, or the memory does.
  const bool full = text.find("ENOSPC") != std::string::npos;
  maker.await_exit();
  CHECK((full || maker.sandbox().usage().memory_exceeded));
}

TEST_CASE("processes and threads end at their limit, and the host goes on", "[containment]") {
  tests::requires_cgroup_pids();
  auto request = testee_request();
  request.memory_bytes = 1024 * kMebibyte;
  for (const std::string mode : {"bombs_processes", "bombs_threads"}) {
    INFO(mode);
    const auto tag = tests::new_tag();
    SandboxedTestee bomb(testee_start(mode, {tag}), request);
    const auto answer = bomb.answer();
    INFO(answer.dump());
    CHECK(answer["error"] == "EAGAIN");
    const int count = answer[mode == "bombs_threads" ? "threads" : "processes"];
    CHECK(count <= 1024);
    // Of those who fork at the same moment, the last are not yet counted.
    CHECK(count >= 512);
    bomb.end();
    CHECK(tests::processes_with(tag).empty());
  }
}

TEST_CASE("processes that breed while they are ended are all ended", "[containment]") {
  tests::requires_namespaces();
  const auto tag = tests::new_tag();
  SandboxedTestee breeder(testee_start("breeds_processes", {tag}));
  breeder.answer();
  breeder.end();
  CHECK(tests::soon([&] { return tests::processes_with(tag).empty(); }));
}

TEST_CASE("descriptors end at their limit", "[containment]") {
  const auto answer = answer_of("hogs_descriptors");
  CHECK(answer["error"] == "EMFILE");
  CHECK(answer["highest"] == 1023);
}

TEST_CASE("four threads that spin share one function's CPU time", "[containment]") {
  tests::requires_cgroup_cpu();
  auto request = testee_request();
  request.cpu.quota = std::chrono::microseconds{20'000 * 128 / 1769};
  SandboxedTestee spinner(testee_start("spins_in_threads"), request);
  const auto answer = spinner.answer();
  INFO(answer.dump());
  // The share of 128 MB is 7.2 % of one CPU. A host that has no time to spare gives less.
  CHECK(answer["cpu_ms"].get<double>() <= 0.10 * answer["wall_ms"].get<double>());
  spinner.await_exit();
  CHECK(spinner.sandbox().usage().throttled > std::chrono::nanoseconds{0});
}

TEST_CASE("a function sees as many CPUs as it was given, and the host has", "[containment]") {
  auto request = testee_request();
  request.cpu.visible_cpus = 1;
  CHECK(answer_of("env_printer", {}, request)["visible_cpus"] == 1);
  request.cpu.visible_cpus = 1000;
  CHECK(answer_of("env_printer", {}, request)["visible_cpus"] == tests::host().cpus);
}

TEST_CASE("a daemon that has left its parent, session and output ends with the sandbox",
          "[containment]") {
  tests::requires_namespaces();
  const auto tag = tests::new_tag();
  {
    SandboxedTestee parent(testee_start("outlives", {tag, "TESTEE_EVENT=1"}));
    CHECK(parent.answer() == 1);
    CHECK(parent.await_exit() == Exit{.code = 0, .signal = {}});
    CHECK_FALSE(tests::processes_with(tag).empty());
    parent.end();
    // Told to end; the kernel takes its time.
    CHECK(tests::soon([&] { return tests::processes_with(tag).empty(); }));
    parent.start(testee_start("outlives", {tag, "TESTEE_EVENT=1"}));
    CHECK(parent.answer() == 1);
  }
  CHECK(tests::processes_with(tag).empty());
}

TEST_CASE("a process that ignores every signal ends when it is told to", "[containment]") {
  const auto tag = tests::new_tag();
  SandboxedTestee deaf(testee_start("slow_init", {tag, "TESTEE_LEAVES_DAEMON=1"}));
  deaf.process().kill();
  CHECK(deaf.await_exit() == Exit{.code = {}, .signal = SIGKILL});
  deaf.end();
  if (tests::host_plan().namespaces) {
    CHECK(tests::soon([&] { return tests::processes_with(tag).empty(); }));
  }
}

TEST_CASE("frozen processes can be ended, whatever they were doing", "[containment]") {
  tests::requires_cgroup_freezer();
  auto request = testee_request();
  request.memory_bytes = 1024 * kMebibyte;
  for (const auto* mode : {"slow_init", "bombs_processes"}) {
    INFO(mode);
    const auto tag = tests::new_tag();
    SandboxedTestee frozen(testee_start(mode, {tag, "TESTEE_LEAVES_DAEMON=1", "TESTEE_COUNT=50"}),
                           request);
    REQUIRE(tests::soon([&] { return tests::processes_with(tag).size() >= 2; }));
    CHECK(frozen.sandbox().freeze());
    frozen.end();
    CHECK(tests::processes_with(tag).empty());
    frozen.start(testee_start("attempts", {"TESTEE_EVENT=[]"}));  // it does not start frozen
    CHECK(frozen.answer() == json::array());
  }
}

TEST_CASE("a connection is known for the sandbox that holds it", "[containment]") {
  tests::requires_peer_check();
  Listener listener;
  const auto event = "TESTEE_EVENT=\"" + listener.address() + "\"";
  SandboxedTestee holder(testee_start("keeps_connection", {event}));
  SandboxedTestee other(testee_start("slow_init"));
  const auto peer = listener.accept();
  CHECK(holder.sandbox().owns_connection(peer, listener.port()));
  CHECK_FALSE(other.sandbox().owns_connection(peer, listener.port()));
  CHECK_FALSE(holder.sandbox().owns_connection(1, listener.port()));
}

TEST_CASE("a function without a network reaches no server of the host", "[containment]") {
  tests::requires_own_network();
  auto wish = IsolationWish{.strictness = Strictness::degraded, .network = Network::none};
  const auto plan = plan_isolation(wish, tests::host());
  REQUIRE(plan);
  LinuxLauncher networkless(*plan);
  const Listener listener;
  auto made = networkless.make(testee_request());
  REQUIRE(made);
  auto& sandbox = *made;
  CHECK(sandbox->has_own_network());
  const json event = {{{"act", "reach"}, {"target", listener.address()}},
                      {{"act", "reach"}, {"target", "192.0.2.1:80"}},
                      {{"act", "content"}, {"target", "/proc/net/dev"}}};
  auto started = sandbox->start(testee_start("attempts", {"TESTEE_EVENT=" + event.dump()}));
  REQUIRE(started);
  auto& process = *started;
  std::string text;
  for (char letter = 0; letter != '\n';) {
    const auto size = ::read(process->output_descriptor(), &letter, 1);
    if (size == 0) break;
    if (size > 0) text += letter;
  }
  const auto results = json::parse(text);
  INFO(results.dump(1));
  CHECK(results[0] == "ECONNREFUSED");
  CHECK(results[1] == "ENETUNREACH");
  const auto interfaces = results[2].get<std::string>();
  CHECK(std::count(interfaces.begin(), interfaces.end(), ':') == 1);
}
