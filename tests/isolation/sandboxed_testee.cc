#include "tests/isolation/sandboxed_testee.h"

#include "tests/support/host_requirements.h"

#include <catch2/catch_test_macros.hpp>

namespace isolation_test {

using namespace emulator::sandbox;

namespace {

constexpr const char* kTestees = HEARTH_BINARY_DIR "/handlers/testees";

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

SandboxedTestee::SandboxedTestee(const StartRequest& first, const SandboxRequest& request)
    : sandbox_(sandbox_of(launcher(), request)) {
  start(first);
}

void SandboxedTestee::start(const StartRequest& wanted) {
  program_.reset();
  program_.emplace(*sandbox_, wanted);
}

nlohmann::json SandboxedTestee::answer() {
  const auto text = line();
  INFO("it printed '" << text << "'");
  auto parsed = nlohmann::json::parse(text, nullptr, false);
  REQUIRE_FALSE(parsed.is_discarded());
  return parsed;
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
