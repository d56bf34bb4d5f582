#include "emulator/app/trace_flags.h"

#include "emulator/app/trace_export.h"

#include <CLI/CLI.hpp>

#include <utility>

namespace emulator::app {

void add_trace_flags(CLI::App& command, TraceOptions& options) {
  const auto* where = "Traces";
  command
      .add_option("--otlp-endpoint",
                  options.otlp_endpoint,
                  "send traces to this collector, as OpenTelemetry's JSON over HTTP")
      ->type_name("URL")
      ->group(where);
  command
      .add_option("--trace-file", options.trace_file, "add traces to this file, a document a line")
      ->type_name("FILE")
      ->group(where);
}

tl::expected<std::vector<report::SpanExporter::Send>, AppError> trace_targets(
    const TraceOptions& options) {
  std::vector<report::SpanExporter::Send> targets;
  if (!options.otlp_endpoint.empty()) {
    auto address = parse_collector(options.otlp_endpoint);
    if (!address) return tl::unexpected(std::move(address.error()));
    targets.push_back(to_collector(std::move(*address)));
  }
  if (!options.trace_file.empty()) {
    auto file = to_trace_file(options.trace_file);
    if (!file) return tl::unexpected(std::move(file.error()));
    targets.push_back(std::move(*file));
  }
  return targets;
}

}  // namespace emulator::app
