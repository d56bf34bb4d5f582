// Where one invocation stands in its trace: which segment caused it, and which are its own.
//
// Values only; any thread.
#pragma once

#include <string>

namespace emulator::environment {

// Identifiers as X-Ray has them: a trace is 1-<8 hex>-<24 hex>, a segment 16 hexadecimal digits.
// Source: X-Ray developer guide, "Trace header".
struct TraceContext {
  std::string trace_id;            // empty: the invocation has no trace
  std::string caller_segment;      // that it continues; empty: the trace begins here
  std::string service_segment;     // AWS::Lambda: the service's part
  std::string function_segment;    // AWS::Lambda::Function: the environment's part
  std::string invocation_segment;  // in it, what the function's own segments hang on
  bool sampled = false;            // whether anything is told of it
};

}  // namespace emulator::environment
