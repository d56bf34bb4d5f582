#include "emulator/invoke/tracer.h"

#include <array>
#include <cstdio>
#include <utility>

namespace emulator::invoke {
namespace {

// Source: X-Ray developer guide, "Trace header".
constexpr int kSegmentDigits = 16;
constexpr int kTraceDigits = 24;

std::chrono::sys_seconds second_of(const time::Clock& clock) {
  return std::chrono::floor<std::chrono::seconds>(clock.wall_now());
}

// 1-<the second in which it began>-<24 hex>
std::string new_root(const TracerWorld& world) {
  const auto seconds =
      static_cast<std::uint32_t>(second_of(world.clock).time_since_epoch().count());
  std::array<char, 16> moment{};
  std::snprintf(moment.data(), moment.size(), "%08x", seconds);
  return std::string("1-") + moment.data() + "-" + world.new_hex(kTraceDigits);
}

}  // namespace

TraceHeader Tracer::decide(const std::optional<std::string>& incoming,
                           const std::string& function_name,
                           environment::Tracing tracing) {
  auto header = incoming ? parse_trace_header(*incoming) : std::nullopt;
  if (!header) header = TraceHeader{.root = new_root(world_), .parent = {}};
  if (!header->sampled) {
    header->sampled = tracing == environment::Tracing::active && sample(function_name);
  }
  return std::move(*header);
}

Tracer::Begun Tracer::begin(const std::optional<std::string>& incoming,
                            const std::string& function_name,
                            environment::Tracing tracing) {
  auto header = decide(incoming, function_name, tracing);
  Begun begun;
  auto& context = begun.context;
  context.trace_id = header.root;
  context.caller_segment = std::move(header.parent);
  context.sampled = header.sampled.value_or(false);
  context.invocation_segment = world_.new_hex(kSegmentDigits);
  if (context.sampled) {
    context.service_segment = world_.new_hex(kSegmentDigits);
    context.function_segment = world_.new_hex(kSegmentDigits);
  }
  header.parent = context.invocation_segment;
  begun.header = text_of(header);
  return begun;
}

// What was sampled in a former second is as good as new, so no more is kept than ran in this one.
bool Tracer::sample(const std::string& function_name) {
  {
    const auto now = second_of(world_.clock);
    const std::lock_guard lock(mutex_);
    if (now != second_) {
      second_ = now;
      sampled_.clear();
    }
    if (sampled_.insert(function_name).second) return true;
  }
  return world_.draw() < kSampledRest;
}

}  // namespace emulator::invoke
