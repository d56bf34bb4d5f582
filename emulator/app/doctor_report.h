// What hearth doctor tells: the host, what the sandbox does on it, what it has to give up and how
// to get it, and the runtimes that are there.
//
// Values and pure functions; any thread.
#pragma once

#include "emulator/sandbox/isolation_plan.h"

#include <string>
#include <vector>

namespace emulator::app {

// Something that is done only when a flag asks for it.
struct OnRequest {
  std::string flag;     // "--network private"
  std::string refused;  // why it cannot be had, a sentence; empty when it can
  bool operator==(const OnRequest&) const = default;
};

struct DoctorReport {
  struct Interpreter {
    std::string program;
    std::string version;
  };
  struct Client {
    std::string runtime;
    std::string interpreter;
  };
  sandbox::HostCapabilities host;
  sandbox::IsolationPlan plan;  // of --sandbox degraded
  std::vector<OnRequest> on_request;
  std::vector<Interpreter> interpreters;
  std::vector<Client> clients;
};

// Everything but the runtimes.
DoctorReport examine(const sandbox::HostCapabilities& host);

std::string as_text(const DoctorReport& report);
std::string as_json(const DoctorReport& report);

}  // namespace emulator::app
