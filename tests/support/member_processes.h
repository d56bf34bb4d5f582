// Processes of a test's own, as members of control groups: copies of the test program that run one
// function.
#pragma once

#include "emulator/sandbox/resource_control.h"
#include "emulator/sandbox/sandbox.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace tests {

// Threads: signal_all() and processes() any, the rest one.
class MemberProcesses final : public emulator::sandbox::ProcessSet {
 public:
  MemberProcesses() = default;
  MemberProcesses(const MemberProcesses&) = delete;
  MemberProcesses& operator=(const MemberProcesses&) = delete;
  ~MemberProcesses() override { end(); }

  // Ends all that was started, and waits for it. Before the control that they are members of goes.
  void end() {
    signal_all(SIGKILL);
    for (const auto& [pid, counter] : counters_) await(pid);
  }

  // The function gets a number that counter() reads; it should not return.
  template <typename Body>
  pid_t start(const std::vector<int>& membership, const Body& body) {
    auto* const counter = make_counter();
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(124);
      ::setpgid(0, 0);
      for (const int group : membership) {
        if (::write(group, "0", 1) != 1) ::_exit(125);
      }
      body(*counter);
      ::_exit(126);
    }
    if (pid < 0) throw std::runtime_error("no process");
    const std::lock_guard lock(mutex_);
    living_.push_back(pid);
    counters_[pid] = counter;
    return pid;
  }

  std::uint64_t counter(pid_t pid) const { return *counters_.at(pid); }

  void await_counter(pid_t pid, std::uint64_t least) const {
    while (counter(pid) < least) ::sched_yield();
  }

  void await_progress(pid_t pid) const { await_counter(pid, counter(pid) + 100'000); }

  // Signals stop a process a moment after they are sent.
  void await_stillness(pid_t pid, bool by_signal) const {
    if (!by_signal) return;
    siginfo_t how{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &how, WSTOPPED | WNOWAIT) != 0 &&
           errno == EINTR) {
    }
  }

  // Makes the children of a member members too.
  void adopt_children_of(pid_t pid) {
    const auto name = std::to_string(pid);
    std::ifstream children("/proc/" + name + "/task/" + name + "/children");
    const std::lock_guard lock(mutex_);
    for (pid_t child = 0; children >> child;) living_.push_back(child);
  }

  // How it ended; nothing if it is known already.
  std::optional<emulator::sandbox::Exit> await(pid_t pid) {
    siginfo_t how{};
    // Its number stays its own until nobody sends it signals any more.
    while (::waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED | WNOWAIT) != 0) {
      if (errno != EINTR) return std::nullopt;
    }
    const std::lock_guard lock(mutex_);
    std::erase(living_, pid);
    ::waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED);
    emulator::sandbox::Exit exit;
    (how.si_code == CLD_EXITED ? exit.code : exit.signal) = how.si_status;
    return exit;
  }

  void signal_all(int signal) noexcept override {
    const std::lock_guard lock(mutex_);
    for (const pid_t pid : living_) ::kill(pid, signal);
  }

  std::vector<pid_t> processes() const override {
    const std::lock_guard lock(mutex_);
    return living_;
  }

 private:
  // Shared with the process; lives as long as the test program.
  static volatile std::uint64_t* make_counter() {
    void* const page = ::mmap(
        nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw std::runtime_error("no shared page");
    return new (page) volatile std::uint64_t(0);
  }

  mutable std::mutex mutex_;
  std::vector<pid_t> living_;
  std::map<pid_t, volatile std::uint64_t*> counters_;
};

}  // namespace tests
