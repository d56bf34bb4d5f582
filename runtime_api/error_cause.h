// What a runtime says of an error for the trace: the exceptions that led to it.
//
//   {"exceptions":[{"type":"…","message":"…","stack":[…]}],"working_directory":"…","paths":[…],
//    "message":"…"}
//
// Source: the emulator that AWS publishes, and AWS's runtime clients, which send it in the header
// Lambda-Runtime-Function-XRay-Error-Cause or as "errorCause" of the error's body.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace runtime_api {

struct CausingException {
  std::string type;
  std::string message;
  bool operator==(const CausingException&) const = default;
};

// Of one error, the first ones; and of a text, which is cut. Our choice: records of invocations are
// kept, and a function chooses what is in them. The stacks are not kept.
inline constexpr std::size_t kMaxCausingExceptions = 8;
inline constexpr std::size_t kMaxCauseText = 1'024;

// A cause without exceptions is one exception of `error_type` with the cause's message. What is no
// cause has none: it never affects the answer.
std::vector<CausingException> read_error_cause(std::string_view json, std::string_view error_type);

}  // namespace runtime_api
