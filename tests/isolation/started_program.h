// A program in a sandbox, for tests: what it prints, line by line, and how it ends.
//
// Its owner's thread.
#pragma once

#include "emulator/sandbox/linux_sandbox.h"

#include <memory>
#include <string>

namespace isolation_test {

class StartedProgram {
 public:
  // Fails the test if it cannot start.
  StartedProgram(emulator::sandbox::Sandbox& sandbox, const emulator::sandbox::StartRequest& start);

  emulator::sandbox::Process& process() const { return *process_; }

  // What it printed next, as far as the end of a line; empty when it ended without one.
  std::string line();
  emulator::sandbox::Exit await_exit() const;

 private:
  std::unique_ptr<emulator::sandbox::Process> process_;
  std::string said_;  // and not yet asked for
};

// Fails the test if there can be none.
std::unique_ptr<emulator::sandbox::Sandbox> sandbox_of(
    emulator::sandbox::LinuxLauncher& launcher, const emulator::sandbox::SandboxRequest& request);

// /bin/sh with this script, in "/".
emulator::sandbox::StartRequest shell(const std::string& script);

}  // namespace isolation_test
