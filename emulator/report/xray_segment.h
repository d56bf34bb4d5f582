// What AWS's X-Ray SDK sends to the daemon: a line that says what follows, and a segment as JSON.
//
//   {"format":"json","version":1}
//   {"id":"…","trace_id":"1-…-…","name":"…","start_time":1.5,"end_time":2.5,"subsegments":[…],…}
//
// Source: X-Ray developer guide, "Sending trace data to X-Ray" and "Segment documents".
//
// Pure; any thread.
#pragma once

#include "emulator/report/span.h"

#include <tl/expected.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::report {

// Source: X-Ray developer guide, "Segment documents": 64 KB; the line before it comes on top.
inline constexpr std::size_t kMaxDatagramBytes = 65'536 + 64;

// Our choice, against datagrams that are made to hurt: deeper than calls nest, more than a datagram
// of that size has with sensible content.
inline constexpr int kMaxSegmentDepth = 32;
inline constexpr std::size_t kMaxSegmentsInDatagram = 512;

// Of a name. Source: X-Ray developer guide, "Segment documents".
inline constexpr std::size_t kMaxSegmentName = 200;

// Of one span. Source of the number: X-Ray's limit of indexed annotations for a trace.
inline constexpr std::size_t kMaxSpanAttributes = 50;

// Of a value that is text; what is longer is cut. Our choice: a stack's message fits.
inline constexpr std::size_t kMaxAttributeBytes = 4'096;

// The segment and its subsegments, parents first; those still in progress are left out, for they
// are sent again at their end. A sentence says what is wrong with a datagram that is refused.
//
// Times are seconds since 1970 with a fraction. Annotations become attributes of their own names,
// what HTTP and AWS requests did those of OpenTelemetry's names, metadata JSON text below
// "aws.xray.metadata.".
tl::expected<std::vector<Span>, std::string> parse_datagram(std::string_view datagram,
                                                            const std::string& service);

// 1-5f84c7a1-0123456789abcdef01234567 → the same 32 digits without the rest; empty: it is none.
std::string trace_id_of(std::string_view xray_id);

}  // namespace emulator::report
