// How the command line says where traces go.
#pragma once

#include "emulator/app/app_error.h"
#include "emulator/report/span_exporter.h"

#include <tl/expected.hpp>

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace emulator::app {

struct TraceOptions {
  std::string otlp_endpoint;  // a collector's URL; empty: none
  std::string trace_file;     // empty: none
};

// Adds the flags to a command; `options` must outlive the parsing.
void add_trace_flags(CLI::App& command, TraceOptions& options);

// Where they send traces. Fails for an address that is none, and a file that cannot be written.
tl::expected<std::vector<report::SpanExporter::Send>, AppError> trace_targets(
    const TraceOptions& options);

}  // namespace emulator::app
