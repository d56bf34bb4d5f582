// Where traces go: a collector that speaks OpenTelemetry's protocol over HTTP, or a file.
#pragma once

#include "emulator/app/app_error.h"
#include "emulator/app/http_address.h"
#include "emulator/report/span_exporter.h"

#include <tl/expected.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace emulator::app {

// Of one request to a collector. Our choice: one on this machine answers in milliseconds, and a
// stop of Hearth's waits for the last one.
inline constexpr std::chrono::milliseconds kCollectorConnectTimeout{1'000};
inline constexpr std::chrono::milliseconds kCollectorAnswerTimeout{2'000};

// The value of --otlp-endpoint: the collector's address, to which /v1/traces is added unless it
// ends so. Source: OpenTelemetry specification, "Protocol Exporter".
tl::expected<HttpAddress, AppError> parse_collector(std::string_view url);

// Posts each document; a collector that does not answer, or says that it cannot now, is tried
// again.
report::SpanExporter::Send to_collector(HttpAddress address);

// Adds each document to the file as a line, whole or not at all. The file is made where it is
// missing.
tl::expected<report::SpanExporter::Send, AppError> to_trace_file(const std::string& path);

}  // namespace emulator::app
