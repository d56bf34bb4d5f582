#include "emulator/app/doctor_report.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace emulator;
using namespace emulator::app;

namespace {

sandbox::HostCapabilities host() {
  sandbox::HostCapabilities host;
  host.kernel = "6.8.0";
  host.cpus = 4;
  host.memory_bytes = 8ULL << 30U;
  host.superuser = true;
  const sandbox::CgroupPlace place{sandbox::CgroupPlace::Version::v2, "/sys/fs/cgroup"};
  host.cgroups.controllers = place.version;
  host.cgroups.memory = place;
  host.cgroups.cpu = place;
  host.cgroups.freezer = place;
  host.cgroups.pids = place;
  return host;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the doctor tells the steps of the plan, in their order", "[doctor]") {
  const auto report = examine(host());
  const auto text = as_text(report);
  std::size_t at = 0;
  REQUIRE_FALSE(report.plan.steps.empty());
  for (const auto& step : report.plan.steps) {
    CAPTURE(step.name);
    const auto found = text.find("yes  " + step.name, at);
    REQUIRE(found != std::string::npos);
    CHECK(contains(text, step.detail));
    at = found;
  }
  CHECK(contains(text, "Linux 6.8.0, 4 CPUs, 8192 MB, as root"));
  CHECK(contains(text, "--sandbox full is kept"));
}

TEST_CASE("the doctor tells of what is given up why, to what effect and how to get it",
          "[doctor]") {
  auto poor = host();
  poor.cgroups.cpu.reset();
  poor.cgroups.no_cpu = "the controller cpu is not given to groups in /sys/fs/cgroup";
  const auto report = examine(poor);
  REQUIRE(report.plan.given_up.size() == 1);
  const auto& lost = report.plan.given_up.front();
  const auto text = as_text(report);
  for (const auto& part : {lost.what, lost.why, lost.effect, lost.remedy}) {
    CAPTURE(part);
    CHECK(contains(text, part));
  }
  CHECK_FALSE(contains(text, "--sandbox full is kept"));
}

TEST_CASE("the doctor tells which flags ask for more than the host has", "[doctor]") {
  auto poor = host();
  poor.no_pasta = "pasta is not installed";
  const auto report = examine(poor);
  REQUIRE(report.on_request.size() == 3);
  CHECK(report.on_request[0] == OnRequest{"--network none", ""});
  CHECK(report.on_request[1].flag == "--network private");
  CHECK(contains(report.on_request[1].refused, "passt"));
  CHECK(report.on_request[2] == OnRequest{"--rootfs DIR", ""});
  const auto text = as_text(report);
  CHECK(contains(text, "  yes  --network none\n"));
  CHECK(contains(text, "  no   --network private is impossible here"));
}

TEST_CASE("the doctor tells scripts the same under keys that stay", "[doctor]") {
  auto poor = host();
  poor.no_seccomp = "this kernel does not have it";
  auto report = examine(poor);
  report.interpreters.push_back({"/usr/bin/python3", "3.11"});
  report.clients.push_back({"python3.11", "3.11"});
  const auto json = nlohmann::json::parse(as_json(report));
  CHECK(json["kernel"] == "6.8.0");
  CHECK(json["cpus"] == 4);
  CHECK(json["memory_mb"] == 8192);
  CHECK(json["superuser"] == true);
  CHECK(json["full"] == false);
  REQUIRE(json["steps"].size() == report.plan.steps.size());
  CHECK(json["steps"][0]["name"] == report.plan.steps[0].name);
  CHECK(json["steps"][0]["detail"] == report.plan.steps[0].detail);
  REQUIRE(json["given_up"].size() == 1);
  CHECK(json["given_up"][0]["what"] == "system call filter");
  CHECK(json["given_up"][0]["why"] == "this kernel does not have it");
  CHECK(json["given_up"][0].contains("effect"));
  CHECK(json["given_up"][0].contains("remedy"));
  CHECK(json["on_request"][0]["flag"] == "--network none");
  CHECK(json["on_request"][0]["available"] == true);
  CHECK(json["on_request"][0]["refused"] == "");
  CHECK(json["interpreters"][0]["program"] == "/usr/bin/python3");
  CHECK(json["interpreters"][0]["version"] == "3.11");
  CHECK(json["runtime_clients"][0]["runtime"] == "python3.11");
  CHECK(json["runtime_clients"][0]["interpreter"] == "3.11");
  CHECK(nlohmann::json::parse(as_json(examine(host())))["full"] == true);
}

TEST_CASE("the doctor lists the runtimes, and how to get a client where there is none",
          "[doctor]") {
  auto report = examine(host());
  CHECK(contains(as_text(report), "hearth runtime install"));
  report.clients.push_back({"nodejs20.x", "20.1"});
  report.interpreters.push_back({"/usr/bin/node", "20.1"});
  CHECK_FALSE(contains(as_text(report), "hearth runtime install"));
  CHECK(contains(as_text(report), "client of nodejs20.x for 20.1"));
  CHECK(contains(as_text(report), "/usr/bin/node (20.1)"));
}
