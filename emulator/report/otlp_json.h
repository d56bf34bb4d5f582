// Spans as a document of OpenTelemetry's protocol: what POST /v1/traces takes, and a line of a
// trace file. Source: opentelemetry-proto, "JSON Protobuf Encoding".
//
// Pure; any thread.
#pragma once

#include "emulator/report/span.h"

#include <span>
#include <string>

namespace emulator::report {

// One document of one line, without its end. Spans of one service stand together, in the order
// given. What is not UTF-8 in them is replaced.
std::string otlp_document(std::span<const Span> spans);

}  // namespace emulator::report
