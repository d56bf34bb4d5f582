// A testee in a sandbox, as `--sandbox degraded` would make it on this host, without an environment
// around it: it does its act once and prints the answer.
//
// Its owner's thread.
#pragma once

#include "emulator/sandbox/linux_sandbox.h"
#include "tests/isolation/started_program.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace isolation_test {

// Launches as the host's plan says. Made once for a test program.
emulator::sandbox::LinuxLauncher& launcher();

// The testees at /var/task, 128 MB, 1024 processes.
emulator::sandbox::SandboxRequest testee_request();

// One mode; `variables` are added to those that choose it.
emulator::sandbox::StartRequest testee_start(const std::string& mode,
                                             const std::vector<std::string>& variables = {});

class SandboxedTestee {
 public:
  explicit SandboxedTestee(const emulator::sandbox::StartRequest& start,
                           const emulator::sandbox::SandboxRequest& request = testee_request());

  emulator::sandbox::Sandbox& sandbox() { return *sandbox_; }
  emulator::sandbox::Process& process() { return program_->process(); }

  // Ends the process and what is left around it.
  void end() { program_.reset(); }
  // Another one in the same sandbox, after the former has ended.
  void start(const emulator::sandbox::StartRequest& start);

  // What it printed, as far as the end of a line; empty when it ended without one.
  std::string line() { return program_->line(); }
  nlohmann::json answer();
  emulator::sandbox::Exit await_exit() const { return program_->await_exit(); }

 private:
  std::unique_ptr<emulator::sandbox::Sandbox> sandbox_;
  std::optional<StartedProgram> program_;
};

// The answer of a mode that ends by itself.
nlohmann::json answer_of(const std::string& mode,
                         const std::vector<std::string>& variables = {},
                         const emulator::sandbox::SandboxRequest& request = testee_request());

struct Attempt {
  std::string act;
  std::string target;
};

// What came of each, in order.
std::vector<std::string> results_of(
    const std::vector<Attempt>& attempts,
    const emulator::sandbox::SandboxRequest& request = testee_request());

}  // namespace isolation_test
