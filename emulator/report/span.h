// A stretch of time in a trace, as OpenTelemetry has it: what X-Ray calls a segment or subsegment.
//
// Values only; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace emulator::report {

using AttributeValue = std::variant<std::string, std::int64_t, double, bool>;
using Attributes = std::vector<std::pair<std::string, AttributeValue>>;

enum class SpanKind : std::uint8_t { internal, server, client };

// Something that went wrong during a span.
struct SpanException {
  std::string type;
  std::string message;
  bool operator==(const SpanException&) const = default;
};

struct Span {
  std::string trace_id;   // 32 hexadecimal digits
  std::string span_id;    // 16
  std::string parent_id;  // 16; empty: the trace begins here
  std::string service;    // the function's name
  std::string name;
  SpanKind kind = SpanKind::internal;
  std::chrono::nanoseconds start{};  // since 1970
  std::chrono::nanoseconds end{};
  bool failed = false;
  Attributes attributes{};
  std::vector<SpanException> exceptions{};
  bool operator==(const Span&) const = default;
};

}  // namespace emulator::report
