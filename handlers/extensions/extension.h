// The Extensions API for extensions written in C++: register, fetch events, report errors. Knows
// the wire and nothing of Hearth.
//
// Threads: its owner's thread.
#pragma once

#include "handlers/runtime_client/http_connection.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace extensions {

// INVOKE or SHUTDOWN; what the other one has is empty.
struct Event {
  std::string type;
  std::string request_id;
  std::string shutdown_reason;
  long long deadline_ms = 0;
};

class Extension {
 public:
  // Nothing: `runtime_api` is no HOST:PORT.
  static std::optional<Extension> at(std::string_view runtime_api, std::string name);

  // Whether it was accepted.
  bool register_for(const std::vector<std::string>& events);

  // To the platform's and the function's telemetry, by TCP at this port; whether it was accepted.
  bool subscribe(std::uint16_t port);

  // Blocks until there is one; nothing when the API does not give any more.
  std::optional<Event> next();

  // `phase` is "init" or "exit".
  bool report(std::string_view phase, std::string_view error_type);

 private:
  Extension(runtime_client::Address address, std::string name);

  std::unique_ptr<runtime_client::Connection> connection_;
  std::string name_;
  std::string identifier_;
};

}  // namespace extensions
