// Gives each invocation its place in a trace: continues the caller's or begins one, and decides
// whether anything is told of it.
#pragma once

#include "emulator/environment/environment_spec.h"
#include "emulator/environment/trace_context.h"
#include "emulator/invoke/trace_header.h"
#include "emulator/time/clock.h"

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace emulator::invoke {

// Of the requests beyond the first of each second. Source: developer guide, "Visualize Lambda
// function invocations using AWS X-Ray".
inline constexpr double kSampledRest = 0.05;

// The functions may be called on any thread.
struct TracerWorld {
  const time::Clock& clock;  // must outlive the tracer
  std::function<std::string(int digits)> new_hex;
  std::function<double()> draw;  // at least 0, below 1
};

// Any thread.
class Tracer {
 public:
  struct Begun {
    environment::TraceContext context;
    std::string header;  // that the runtime is told, and the caller
  };

  explicit Tracer(TracerWorld world) : world_(std::move(world)) {}
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;
  ~Tracer() = default;

  // The trace that a request belongs to; its `sampled` is decided. A caller's decision holds. Else
  // a function with active tracing is sampled, of all its requests the first in each second and
  // kSampledRest of those that follow; others are not. Source: service model, TracingConfig.
  // A header without a usable trace id counts as none: our choice.
  TraceHeader decide(const std::optional<std::string>& incoming,
                     const std::string& function_name,
                     environment::Tracing tracing);

  // The same, and segments of the invocation's own. What the runtime is told hangs on the
  // invocation's. Source: inferred from recorded traces, where the segments of the X-Ray SDK are
  // parts of the subsegment Invocation.
  Begun begin(const std::optional<std::string>& incoming,
              const std::string& function_name,
              environment::Tracing tracing);

 private:
  bool sample(const std::string& function_name);

  const TracerWorld world_;
  std::mutex mutex_;                 // guards what follows
  std::chrono::sys_seconds second_;  // in which these were sampled already
  std::set<std::string> sampled_;
};

}  // namespace emulator::invoke
