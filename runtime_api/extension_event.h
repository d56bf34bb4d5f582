// What extensions are told: that an invocation begins, and that their environment ends.
//
// Source: developer guide, "Lambda Extensions API"; the fields and their order are those of the
// emulator that AWS publishes. Values only; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace runtime_api {

// Which events an extension asked for when it registered.
struct EventSubscription {
  bool invoke = false;
  bool shutdown = false;
  bool operator==(const EventSubscription&) const = default;
};

// One invocation, without its payload, which is for the runtime alone.
struct InvokeEvent {
  std::int64_t deadline_ms = 0;  // Unix time
  std::string request_id;
  std::string function_arn;
  std::optional<std::string> trace_id;
};

struct ShutdownEvent {
  std::string_view reason;       // a literal
  std::int64_t deadline_ms = 0;  // Unix time; who lives longer is killed
};

// The event's JSON text.
std::string text_of(const InvokeEvent& event);
std::string text_of(const ShutdownEvent& event);

// An event as one extension is given it. All extensions share the text, and one that hangs up while
// it is written cannot outlive it.
struct GivenEvent {
  std::string identifier;  // Lambda-Extension-Event-Identifier
  std::shared_ptr<const std::string> text;
};

}  // namespace runtime_api
