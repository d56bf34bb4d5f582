// The platform's own segments of an invocation, as the service sends them to X-Ray: one of the
// service, one of the function, and in it Initialization, Invocation and Overhead.
//
// Source of the parts and what they measure: developer guide, "Visualize Lambda function
// invocations using AWS X-Ray"; of how they nest: recorded.
//
// Pure but for the identifiers handed in; any thread.
#pragma once

#include "emulator/environment/invocation_report.h"
#include "emulator/report/span.h"

#include <functional>
#include <string>
#include <vector>

namespace emulator::report {

// Of an invocation that is sampled; of any other none. `new_span_id` makes 16 hexadecimal digits.
// Initialization is there for a cold start. Overhead is the time from the answer until the
// environment was free again, and is left out where that is not known. A retried event has a
// service segment for each attempt, where the service has one for all: our choice.
std::vector<Span> platform_spans(const environment::InvocationReport& report,
                                 const std::function<std::string()>& new_span_id);

}  // namespace emulator::report
