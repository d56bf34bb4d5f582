// Where an extension takes telemetry: a TCP listener of its own, read on a thread of its own. Knows
// nothing of Hearth.
//
// Threads: its owner's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>

namespace extensions {

// One at a time for as long as the process lives; what it listens on ends with it.
class TelemetryListener {
 public:
  // Each event as one line of JSON; on the listener's thread. False: nothing more is wanted.
  using Take = std::function<bool(const std::string& event)>;

  // Listens on a free port of the loopback; nothing where that cannot be had.
  static std::optional<TelemetryListener> open(Take take);

  std::uint16_t port() const { return port_; }

  // Blocks until nothing more is wanted, or nothing more comes.
  void await_end() { thread_.join(); }

  // Listens until the process ends.
  void leave_to_itself() { thread_.detach(); }

 private:
  TelemetryListener(std::uint16_t port, std::thread thread)
      : port_(port), thread_(std::move(thread)) {}

  std::uint16_t port_;
  std::thread thread_;
};

}  // namespace extensions
