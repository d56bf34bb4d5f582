#include "emulator/app/doctor_report.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace emulator::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMebibyte = 1024 * 1024;

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, text.size()), ' ');
}

std::string host_text(const sandbox::HostCapabilities& host) {
  return "Host: Linux " + host.kernel + ", " + std::to_string(host.cpus) +
         (host.cpus == 1 ? " CPU, " : " CPUs, ") + std::to_string(host.memory_bytes / kMebibyte) +
         " MB, " + (host.superuser ? "as root" : "as an ordinary user") + "\n";
}

std::string steps_text(const sandbox::IsolationPlan& plan) {
  std::size_t width = 0;
  for (const auto& step : plan.steps) width = std::max(width, step.name.size());
  std::string text = "\nWhat the sandbox does here\n";
  for (const auto& step : plan.steps) {
    text += "  yes  " + padded(step.name, width) + "  " + step.detail + "\n";
  }
  return text;
}

std::string given_up_text(const sandbox::IsolationPlan& plan) {
  if (plan.given_up.empty()) {
    return "\nNothing is given up: --sandbox full is kept.\n";
  }
  std::string text = "\nWhat is given up here, which --sandbox full refuses\n";
  for (const auto& lost : plan.given_up) {
    text += "  no   " + lost.what + "\n";
    text += "         why:     " + lost.why + "\n";
    text += "         effect:  " + lost.effect + "\n";
    if (!lost.remedy.empty()) text += "         to get it:  " + lost.remedy + "\n";
  }
  return text;
}

std::string on_request_text(const std::vector<OnRequest>& all) {
  std::string text = "\nWhat a flag asks for\n";
  for (const auto& one : all) {
    text += (one.refused.empty() ? "  yes  " + one.flag : "  no   " + one.refused) + "\n";
  }
  return text;
}

std::string runtimes_text(const DoctorReport& report) {
  std::string text = "\nRuntimes\n  yes  provided.al2, provided.al2023, go1.x\n";
  for (const auto& [program, version] : report.interpreters) {
    text += "  yes  " + program + " (" + version + ")\n";
  }
  for (const auto& [runtime, interpreter] : report.clients) {
    text += "  yes  client of " + runtime + " for " + interpreter + "\n";
  }
  if (report.clients.empty()) {
    text += "  no   runtime clients; to get one: hearth runtime install python3.11\n";
  }
  return text;
}

}  // namespace

DoctorReport examine(const sandbox::HostCapabilities& host) {
  DoctorReport report;
  report.host = host;
  const auto plan = sandbox::plan_isolation({}, host);
  report.plan = plan ? *plan : sandbox::bare_plan();
  const std::pair<const char*, sandbox::IsolationWish> requests[] = {
      {"--network none", {.network = sandbox::Network::none}},
      {"--network private", {.network = sandbox::Network::own_outward}},
      {"--rootfs DIR", {.root_image = true}},
  };
  for (const auto& [flag, wish] : requests) {
    const auto wished = sandbox::plan_isolation(wish, host);
    report.on_request.push_back({flag, wished ? "" : wished.error().message});
  }
  return report;
}

std::string as_text(const DoctorReport& report) {
  return host_text(report.host) + steps_text(report.plan) + given_up_text(report.plan) +
         on_request_text(report.on_request) + runtimes_text(report);
}

std::string as_json(const DoctorReport& report) {
  Json json;
  json["kernel"] = report.host.kernel;
  json["cpus"] = report.host.cpus;
  json["memory_mb"] = report.host.memory_bytes / kMebibyte;
  json["superuser"] = report.host.superuser;
  json["full"] = report.plan.given_up.empty();
  json["steps"] = Json::array();
  for (const auto& step : report.plan.steps) {
    json["steps"].push_back({{"name", step.name}, {"detail", step.detail}});
  }
  json["given_up"] = Json::array();
  for (const auto& lost : report.plan.given_up) {
    json["given_up"].push_back(
        {{"what", lost.what}, {"why", lost.why}, {"effect", lost.effect}, {"remedy", lost.remedy}});
  }
  json["on_request"] = Json::array();
  for (const auto& one : report.on_request) {
    json["on_request"].push_back(
        {{"flag", one.flag}, {"available", one.refused.empty()}, {"refused", one.refused}});
  }
  json["interpreters"] = Json::array();
  for (const auto& [program, version] : report.interpreters) {
    json["interpreters"].push_back({{"program", program}, {"version", version}});
  }
  json["runtime_clients"] = Json::array();
  for (const auto& [runtime, interpreter] : report.clients) {
    json["runtime_clients"].push_back({{"runtime", runtime}, {"interpreter", interpreter}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace emulator::app
