// Extensions for the tests, well-behaved and not: the name of the file, up to a dot, chooses which.
//
//   recorder         prints every event, and leaves when it is told of the end
//   listing          the same, after printing the names of the variables that it was given
//   watcher          the same as recorder, and prints the telemetry that it subscribed to, up to
//                    the first report of an invocation
//   silent           the same as recorder, and prints nothing
//   collector        the same as silent, and takes the telemetry that it subscribed to
//   stuck            is told of an invocation and never asks for the next event
//   deaf             is told of the end and stays
//   mute             never registers
//   crash-in-init    registers, and exits with 6
//   crash-in-invoke  is told of an invocation, and exits with 6
//   init-error       reports that it cannot initialise, and exits with 3
//   exit-error       reports in an invocation that it is about to exit, and exits with 3
#include "handlers/extensions/extension.h"
#include "handlers/extensions/telemetry_listener.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace {

using extensions::Event;
using extensions::Extension;
using extensions::TelemetryListener;

constexpr int kCrash = 6;
constexpr int kReported = 3;

void tell(const std::string& who, const std::string& what) {
  std::printf("%s: %s\n", who.c_str(), what.c_str());
  std::fflush(stdout);
}

[[noreturn]] void stay() {
  while (true) ::pause();
}

void list_variables(const std::string& who) {
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view entry(*variable);
    tell(who, "given " + std::string(entry.substr(0, entry.find('='))));
  }
}

// What a misbehaving one does with an event, or nothing of the kind.
void misbehave(const std::string& mode, Extension& extension, const Event& event) {
  const bool invoked = event.type == "INVOKE";
  if (invoked && mode == "crash-in-invoke") std::_Exit(kCrash);
  if (invoked && mode == "exit-error") {
    extension.report("exit", "Extension.NoLongerAble");
    std::_Exit(kReported);
  }
  if (invoked && mode == "stuck") stay();
  if (!invoked && mode == "deaf") stay();
}

// Until the report of an invocation has come.
TelemetryListener::Take print_telemetry(const std::string& who) {
  return [who](const std::string& event) {
    tell(who, event);
    return event.find("\"platform.report\"") == std::string::npos;
  };
}

TelemetryListener subscribed(Extension& extension, TelemetryListener::Take take) {
  auto listener = TelemetryListener::open(std::move(take));
  if (!listener || !extension.subscribe(listener->port())) std::_Exit(kReported);
  return std::move(*listener);
}

int run(const std::string& who, const std::string& mode, Extension& extension) {
  if (mode == "mute") stay();
  if (mode == "listing") list_variables(who);
  if (!extension.register_for({"INVOKE", "SHUTDOWN"})) return 1;
  if (mode == "crash-in-init") return kCrash;
  if (mode == "init-error") {
    extension.report("init", "Extension.NotAble");
    return kReported;
  }
  std::optional<TelemetryListener> telemetry;
  if (mode == "watcher") telemetry = subscribed(extension, print_telemetry(who));
  if (mode == "collector") {
    // Wants more for as long as it lives.
    subscribed(extension, [](const std::string&) { return true; }).leave_to_itself();
  }
  const bool silent = mode == "silent" || mode == "collector";
  while (const auto event = extension.next()) {
    const bool invoked = event->type == "INVOKE";
    if (!silent) {
      tell(who, event->type + " " + (invoked ? event->request_id : event->shutdown_reason));
    }
    misbehave(mode, extension, *event);
    if (invoked) continue;
    if (telemetry) telemetry->await_end();
    return 0;
  }
  return 1;
}

}  // namespace

int main(int, char** argv) {
  const std::string_view path(argv[0]);
  const std::string name(path.substr(path.rfind('/') + 1));
  const char* address = std::getenv("AWS_LAMBDA_RUNTIME_API");  // NOLINT(concurrency-mt-unsafe)
  auto extension = Extension::at(address == nullptr ? "" : address, name);
  if (!extension) {
    std::fprintf(stderr, "%s: AWS_LAMBDA_RUNTIME_API is no HOST:PORT\n", name.c_str());
    return 1;
  }
  return run(name, name.substr(0, name.find('.')), *extension);
}
