// Feeds strangers' bytes to what reads a trace header, which is the first line of the input, and to
// what reads a datagram of the X-Ray SDK, which is the rest.

#include "emulator/invoke/trace_header.h"
#include "emulator/report/otlp_json.h"
#include "emulator/report/xray_segment.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace emulator;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto line = std::min(input.find('\n'), input.size());
  if (const auto header = invoke::parse_trace_header(input.substr(0, line))) {
    require(invoke::parse_trace_header(invoke::text_of(*header)) == header);
  }
  const auto spans = report::parse_datagram(input.substr(std::min(line + 1, input.size())), "f");
  if (spans) require(nlohmann::json::accept(report::otlp_document(*spans)));
  return 0;
}
