// Uses its one thread's CPU for {"wall_ms":W} of wall time and tells how much CPU time it got,
// which is the share that it has of a CPU.
#include "handlers/runtime_client/runtime_client.h"

#include <nlohmann/json.hpp>

#include <ctime>
#include <string>

namespace {

using Json = nlohmann::ordered_json;

constexpr double kLongestMs = 900'000;  // the service's longest timeout

double milliseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

runtime_client::Result spin(const runtime_client::Invocation& invocation) {
  const auto event = Json::parse(invocation.payload, nullptr, false);
  const auto wanted = event.is_object() ? event.value("wall_ms", Json()) : Json();
  if (!wanted.is_number() || wanted < 0 || wanted > kLongestMs) {
    return runtime_client::Result::error("BadEvent", "the event must be {\"wall_ms\":W}");
  }
  const auto cpu = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
  const auto began = milliseconds(CLOCK_MONOTONIC);
  const auto enough = began + wanted.get<double>();
  auto now = began;
  while (now < enough) now = milliseconds(CLOCK_MONOTONIC);
  const Json used = {{"cpu_ms", milliseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu},
                     {"wall_ms", now - began}};
  return runtime_client::Result::response(used.dump());
}

}  // namespace

int main() { return runtime_client::run(spin); }
