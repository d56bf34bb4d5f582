// The header X-Amzn-Trace-Id: which trace a request belongs to.
//
//   Root=1-5f84c7a1-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1;Lineage=a87bd80c:1
//
// Source: X-Ray developer guide, "Trace header"; Lineage, by which the service finds functions that
// call themselves: recorded.
//
// Values only; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::invoke {

// Source: service model, XAmznTraceId.
inline constexpr std::size_t kMaxTraceHeaderBytes = 8'192;

// Our choice: the service's has up to three entries of a dozen characters.
inline constexpr std::size_t kMaxLineageBytes = 256;

struct TraceHeader {
  std::string root;               // 1-<8 hex>-<24 hex>, lower case
  std::string parent;             // 16 hexadecimal digits, lower case; empty: none
  std::optional<bool> sampled{};  // nothing: whoever comes next decides
  std::string lineage{};          // handed on as it is; empty: none
  bool operator==(const TraceHeader&) const = default;
};

// Nothing where there is no usable Root: a trace is begun then. Fields stand in any order, their
// names in any case; those that are unknown or broken are left out. "Sampled=?" is no decision.
std::optional<TraceHeader> parse_trace_header(std::string_view text);

// As the service writes it; an undecided one without Sampled.
std::string text_of(const TraceHeader& header);

}  // namespace emulator::invoke
