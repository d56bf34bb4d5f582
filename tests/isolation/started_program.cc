#include "tests/isolation/started_program.h"

#include <catch2/catch_test_macros.hpp>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace isolation_test {

using namespace emulator::sandbox;

namespace {

// Longer than anything here takes; it only ends what would never end.
constexpr int kPatienceMs = 60'000;

void await_readable(int descriptor) {
  pollfd waited{.fd = descriptor, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&waited, 1, kPatienceMs);
  } while (ready < 0 && errno == EINTR);
  REQUIRE(ready == 1);
}

}  // namespace

StartedProgram::StartedProgram(Sandbox& sandbox, const StartRequest& start) {
  auto started = sandbox.start(start);
  if (!started) FAIL("no start: " << started.error().operation << ": " << started.error().message);
  process_ = std::move(*started);
}

std::string StartedProgram::line() {
  const int output = process_->output_descriptor();
  std::array<char, 4096> bytes{};
  while (true) {
    if (const auto end = said_.find('\n'); end != std::string::npos) {
      auto text = said_.substr(0, end);
      said_.erase(0, end + 1);
      return text;
    }
    await_readable(output);
    const auto size = ::read(output, bytes.data(), bytes.size());
    if (size == 0) return {};
    if (size > 0) said_.append(bytes.data(), static_cast<std::size_t>(size));
  }
}

Exit StartedProgram::await_exit() const {
  await_readable(process_->exit_descriptor());
  const auto exit = process_->exited();
  REQUIRE(exit);
  return *exit;
}

std::unique_ptr<Sandbox> sandbox_of(LinuxLauncher& launcher, const SandboxRequest& request) {
  auto made = launcher.make(request);
  if (!made) FAIL("no sandbox: " << made.error().operation << ": " << made.error().message);
  return std::move(*made);
}

StartRequest shell(const std::string& script) {
  StartRequest start;
  start.program.argv = {"/bin/sh", "-c", script};
  start.program.environment = {"PATH=/usr/bin:/bin"};
  start.program.working_folder = "/";
  return start;
}

}  // namespace isolation_test
