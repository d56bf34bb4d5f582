#include "emulator/sandbox/seccomp_policy.h"

#include "emulator/sandbox/unique_fd.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <seccomp.h>

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

using namespace emulator::sandbox;

namespace {

constexpr int kNoFilter = -1;  // in place of an error number: the filter could not be installed
constexpr int kDied = -2;

// In a child: neither allocates nor returns an error that the caller could overlook.
int install(const std::vector<sock_filter>& program) {
  const sock_fprog filter{.len = static_cast<unsigned short>(program.size()),
                          .filter = const_cast<sock_filter*>(program.data())};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  const long result =
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter);
  return result == 0 ? 0 : errno;
}

// What `act` returns in a child that has the filter, if one is given.
template <typename Act>
int in_child(const std::vector<sock_filter>* filter, Act act) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int outcome = filter != nullptr && install(*filter) != 0 ? kNoFilter : act();
    if (::write(writing.get(), &outcome, sizeof(outcome)) != sizeof(outcome)) ::_exit(1);
    ::_exit(0);
  }
  writing.reset();
  int outcome = kDied;
  if (::read(reading.get(), &outcome, sizeof(outcome)) != sizeof(outcome)) outcome = kDied;
  ::waitpid(child, nullptr, 0);
  return outcome;
}

const std::vector<sock_filter>& default_filter() {
  static const auto filter = compile(default_policy()).value();
  return filter;
}

// A call that would do no harm if it were made: all bits of its arguments are set, so that pointers
// lead nowhere and descriptors and commands do not exist, but for the one the rule looks at.
struct HarmlessCall {
  int number = 0;
  std::array<std::uint64_t, 6> arguments{};
};

HarmlessCall harmless(const SystemCallRule& rule, const std::string& name) {
  HarmlessCall call{.number = seccomp_syscall_resolve_name(name.c_str())};
  call.arguments.fill(~std::uint64_t{0});
  if (!rule.condition) return call;
  auto& argument = call.arguments.at(rule.condition->argument);
  switch (rule.condition->test) {
    case SystemCallRule::Condition::Test::one_of:
      argument = rule.condition->values.front();
      break;
    case SystemCallRule::Condition::Test::any_bit_of:
      break;
    case SystemCallRule::Condition::Test::none_of:
      argument = name == "personality" ? 0x40'0000u : std::uint64_t{AF_PACKET};
      break;
  }
  return call;
}

// Its error number; 0 when the kernel did it.
int outcome_of(const HarmlessCall& call) {
  const auto& with = call.arguments;
  errno = 0;
  const long result = ::syscall(call.number, with[0], with[1], with[2], with[3], with[4], with[5]);
  return result >= 0 ? 0 : errno;
}

template <typename Check>
void for_each_denied_call(Check check) {
  for (const auto& rule : default_policy().rules) {
    for (const auto& name : rule.calls) {
      const auto call = harmless(rule, name);
      if (call.number >= 0) check(rule, name, call);
    }
  }
}

void require_filters() {
  if (in_child(&default_filter(), [] { return 0; }) == kNoFilter) {
    SKIP("SKIPPED: this host does not allow seccomp filters");
  }
}

}  // namespace

TEST_CASE("every call that the default policy denies gets its answer from the kernel",
          "[seccomp]") {
  require_filters();
  for_each_denied_call([](const auto& rule, const auto& name, const auto& call) {
    INFO(name);
    CHECK(in_child(&default_filter(), [&] { return outcome_of(call); }) == rule.error_number);
  });
}

TEST_CASE("without the policy the kernel would try every call that it denies", "[seccomp]") {
  if (::geteuid() != 0) {
    SKIP("SKIPPED: most of these calls are for the superuser, and refused to others anyway");
  }
  // Calls to which a kernel may itself answer EPERM, and why.
  const std::map<std::string, std::string> refused_by_choice = {
      {"perf_event_open", "kernel.perf_event_paranoid"},
      {"io_uring_setup", "kernel.io_uring_disabled"},
      {"bpf", "a locked down kernel"},
      {"init_module", "kernel.modules_disabled"},
      {"finit_module", "kernel.modules_disabled"},
      {"delete_module", "kernel.modules_disabled"},
      {"kexec_load", "kernel.kexec_load_disabled"},
      {"kexec_file_load", "kernel.kexec_load_disabled"},
      {"iopl", "a locked down kernel"},
      {"ioperm", "a locked down kernel"},
      {"modify_ldt", "a kernel without 16-bit programs"},
  };
  if (in_child(nullptr, [] { return ::unshare(0) == 0 ? 0 : errno; }) != 0 ||
      in_child(nullptr, [] { return ::chroot("/") == 0 ? 0 : errno; }) != 0 ||
      in_child(nullptr, [] { return ::swapoff(nullptr) == 0 ? 0 : errno; }) == EPERM) {
    SKIP("SKIPPED: this superuser is confined already, as in a container or a user namespace");
  }
  for_each_denied_call([&](const auto&, const auto& name, const auto& call) {
    const int outcome = in_child(nullptr, [&] { return outcome_of(call); });
    if (outcome == EPERM && refused_by_choice.count(name) == 1) {
      UNSCOPED_INFO(name << " is refused here by " << refused_by_choice.at(name));
      return;
    }
    INFO(name);
    CHECK(outcome != EPERM);
    CHECK(outcome != kDied);
  });
}

TEST_CASE("under the default policy processes and threads start as ever", "[seccomp]") {
  require_filters();
  CHECK(in_child(&default_filter(), [] {
          int answer = 0;
          std::thread([&] { answer = 42; }).join();
          const int shell = std::system("exit $(echo 40 | { read n; echo $((n + 3)); })");
          return answer == 42 && WIFEXITED(shell) ? WEXITSTATUS(shell) : kDied;
        }) == 43);
}

// What each interpreter does in a function that is busy: threads, child processes, its addresses.
TEST_CASE("under the default policy the interpreters of this host miss nothing", "[seccomp]") {
  require_filters();
  struct Interpreter {
    const char* name;
    const char* script;
  };
  const auto& [name, script] = GENERATE(values<Interpreter>({
      {"python3",
       R"(python3 -c '
import asyncio, multiprocessing, socket, subprocess, threading
thread = threading.Thread(target=lambda: None)
thread.start()
thread.join()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(abs, [-1, -2]) == [1, 2]
assert subprocess.run(["true"]).returncode == 0
assert asyncio.run(asyncio.sleep(0, 7)) == 7
assert socket.if_nameindex()
')"},
      {"node", R"(node -e '
const { Worker } = require("worker_threads");
require("os").networkInterfaces();
require("child_process").execFileSync("true");
require("fs").readFileSync("/etc/hosts");
new Worker("", { eval: true }).on("exit", process.exit);
')"},
      {"java", "java -XX:+UseG1GC -version 2>/dev/null"},
  }));
  if (std::system(("command -v " + std::string(name) + " >/dev/null").c_str()) != 0) {
    SKIP("SKIPPED: this host lacks " << name);
  }
  INFO(name);
  CHECK(in_child(&default_filter(), [script = script] { return std::system(script); }) == 0);
}

TEST_CASE("under the default policy a process can still take on a filter of its own", "[seccomp]") {
  require_filters();
  CHECK(in_child(&default_filter(), [] { return install(default_filter()); }) == 0);
}

TEST_CASE("under the default policy a process still learns its addresses", "[seccomp]") {
  require_filters();
  CHECK(in_child(&default_filter(), [] {
          const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
          return socket.valid() ? 0 : errno;
        }) == 0);
}

TEST_CASE("under the default policy a new user namespace is out of reach by every door",
          "[seccomp]") {
  require_filters();
  constexpr int kNewUser = 0x1000'0000;
  CHECK(in_child(&default_filter(), [] { return ::unshare(kNewUser) == 0 ? 0 : errno; }) == EPERM);
  CHECK(in_child(&default_filter(), [] {
          const long child = ::syscall(SYS_clone, kNewUser | SIGCHLD, 0, 0, 0, 0);
          if (child == 0) ::_exit(0);
          return child > 0 ? 0 : errno;
        }) == EPERM);
  CHECK(in_child(&default_filter(), [] {
          std::array<std::uint64_t, 8> arguments{kNewUser, 0, 0, 0, SIGCHLD};
          const long child = ::syscall(SYS_clone3, arguments.data(), sizeof(arguments));
          if (child == 0) ::_exit(0);
          return child > 0 ? 0 : errno;
        }) == ENOSYS);
}

#if defined(__x86_64__)
TEST_CASE("under the default policy the 32-bit door of the kernel is shut", "[seccomp]") {
  require_filters();
  const auto getpid_by_the_old_door = [] {
    long result = 20;  // getpid() of 32-bit programs
    asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result > 0 ? 0 : static_cast<int>(-result);
  };
  if (in_child(nullptr, getpid_by_the_old_door) != 0) {
    SKIP("SKIPPED: this kernel runs no 32-bit programs");
  }
  CHECK(in_child(&default_filter(), getpid_by_the_old_door) == ENOSYS);
}
#endif
