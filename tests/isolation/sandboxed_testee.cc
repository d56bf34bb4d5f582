#include "tests/isolation/sandboxed_testee.h"

#include "tests/support/host_requirements.h"

#include <catch2/catch_test_macros.hpp>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace isolation_test {

using namespace emulator::sandbox;

namespace {

constexpr const char* kTestees = HEARTH_BINARY_DIR "/handlers/testees";
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

LinuxLauncher& launcher() {
  static LinuxLauncher made(tests::host_plan());
  return made;
}

SandboxRequest testee_request() {
  SandboxRequest request;
  request.view.folders = {{.host = kTestees, .seen = "/var/task"}};
  request.memory_bytes = 128ULL << 20;
  request.max_processes = 1024;
  return request;
}

StartRequest testee_start(const std::string& mode, const std::vector<std::string>& variables) {
  const std::string folder = tests::host_plan().namespaces ? "/var/task" : kTestees;
  StartRequest start;
  start.program.argv = {folder + "/bootstrap"};
  start.program.environment = variables;
  start.program.environment.push_back("TESTEE_MODE=" + mode);
  start.program.environment.emplace_back("PATH=/usr/bin:/bin");
  start.program.working_folder = folder;
  return start;
}

SandboxedTestee::SandboxedTestee(const StartRequest& first, const SandboxRequest& request) {
  auto made = launcher().make(request);
  if (!made) FAIL("no sandbox: " << made.error().operation << ": " << made.error().message);
  sandbox_ = std::move(*made);
  start(first);
}

void SandboxedTestee::start(const StartRequest& wanted) {
  process_.reset();
  said_.clear();
  auto started = sandbox_->start(wanted);
  if (!started) FAIL("no start: " << started.error().operation << ": " << started.error().message);
  process_ = std::move(*started);
}

std::string SandboxedTestee::line() {
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

nlohmann::json SandboxedTestee::answer() {
  const auto text = line();
  INFO("it printed '" << text << "'");
  auto parsed = nlohmann::json::parse(text, nullptr, false);
  REQUIRE_FALSE(parsed.is_discarded());
  return parsed;
}

Exit SandboxedTestee::await_exit() {
  await_readable(process_->exit_descriptor());
  const auto exit = process_->exited();
  REQUIRE(exit);
  return *exit;
}

nlohmann::json answer_of(const std::string& mode,
                         const std::vector<std::string>& variables,
                         const SandboxRequest& request) {
  return SandboxedTestee(testee_start(mode, variables), request).answer();
}

std::vector<std::string> results_of(const std::vector<Attempt>& attempts,
                                    const SandboxRequest& request) {
  auto event = nlohmann::json::array();
  for (const auto& [act, target] : attempts) event.push_back({{"act", act}, {"target", target}});
  const auto answer = answer_of("attempts", {"TESTEE_EVENT=" + event.dump()}, request);
  REQUIRE(answer.size() == attempts.size());
  return answer;
}

}  // namespace isolation_test
