#include "runtime_api/extension_event.h"

#include <nlohmann/json.hpp>

namespace runtime_api {
namespace {

// Bytes that are not UTF-8, which a trace header may hold, become the replacement character.
std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

std::string text_of(const InvokeEvent& event) {
  nlohmann::ordered_json json = {{"eventType", "INVOKE"},
                                 {"deadlineMs", event.deadline_ms},
                                 {"requestId", event.request_id},
                                 {"invokedFunctionArn", event.function_arn}};
  if (event.trace_id && !event.trace_id->empty()) {
    json["tracing"] = {{"type", "X-Amzn-Trace-Id"}, {"value", *event.trace_id}};
  }
  return dump(json);
}

std::string text_of(const ShutdownEvent& event) {
  return dump({{"eventType", "SHUTDOWN"},
               {"shutdownReason", event.reason},
               {"deadlineMs", event.deadline_ms}});
}

}  // namespace runtime_api
