// Lambda's Invoke operations: what a request asks for, and what its answer looks like. No sockets;
// server.h listens.
//
// Sources: the public service model for names, limits and members; responses recorded from the
// service for statuses and texts; what is neither says so.
//
// Pure but for the functions handed in; any thread.
#pragma once

#include "emulator/control_plane/service_error.h"
#include "emulator/front_doors/http_message.h"
#include "emulator/functions/function.h"
#include "emulator/invoke/invocation.h"
#include "emulator/invoke/streamed_invocation.h"

#include <tl/expected.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::control_plane {

// Source: the service's error text and the developer guide's quotas (async: 1 MB since 2025).
inline constexpr std::size_t kMaxSyncRequestBytes = 6'291'456;
inline constexpr std::size_t kMaxAsyncRequestBytes = 1'048'576;

// Of the base64 text. Source: service model.
inline constexpr std::size_t kMaxClientContextBytes = 3583;

// Source: service model.
inline constexpr std::size_t kMaxTenantIdBytes = 256;

// Whether the text can be a tenant's identifier. Source: service model, TenantId.
bool is_tenant_id(std::string_view text);

enum class InvokeOperation {
  invoke,           // POST /2015-03-31/functions/NAME/invocations
  invoke_async,     // POST /2014-11-13/functions/NAME/invoke-async
  response_stream,  // POST /2021-11-15/functions/NAME/response-streaming-invocations
};

// Which operation a request is. The views point into the request's target.
struct InvokeRoute {
  InvokeOperation operation = InvokeOperation::invoke;
  std::string_view encoded_name;  // name, partial ARN or ARN, percent-encoded
  std::string_view query;
};

// nullopt for every other method and path.
std::optional<InvokeRoute> match_invoke_route(const front_doors::Request& head);

enum class InvocationType { request_response, event, dry_run };

// A request that makes sense.
struct InvokeCall {
  InvocationType type = InvocationType::request_response;
  std::optional<std::string> region;   // of the ARN, if the function was named by one
  std::optional<std::string> account;  // of the ARN or the partial ARN
  invoke::InvocationRequest request;   // its request_id is the caller's, or the one handed in
};

// How many bytes the body of such a request may have: less for an event than for a call.
std::size_t max_request_bytes(const front_doors::Request& head, const InvokeRoute& route);

// Takes names, headers and body apart and checks them. An absent body is the event {} (unverified).
// `fresh_request_id` serves unless the caller sent a UUID as x-amzn-RequestId.
tl::expected<InvokeCall, ServiceError> parse_invoke(front_doors::Request request,
                                                    const InvokeRoute& route,
                                                    std::string fresh_request_id);

// The answer to an invocation that ran, whatever became of it: 200. With ReleaseAt::report it
// carries the tail of the log. `trace_header` is what the function was told of its trace; empty:
// none.
front_doors::Reply invocation_reply(invoke::InvocationResult result,
                                    invoke::ReleaseAt release_at,
                                    std::string_view request_id,
                                    std::string_view trace_header);

// What the operations need of the machine below, and who they say they are.
struct InvokeApi {
  invoke::Invoke invoke;
  invoke::Resolve resolve;
  invoke::InvokeAsync invoke_async;
  std::function<std::string()> new_request_id;
  std::function<invoke::StreamPace()> pace{};  // of streamed responses; absent: none
  std::string region{functions::kDefaultRegion};
  std::string account{functions::kDefaultAccount};
};

// All of the above in order; blocks as long as a synchronous invocation lasts.
front_doors::Reply answer_invoke(front_doors::Request request,
                                 const InvokeRoute& route,
                                 const InvokeApi& api);

}  // namespace emulator::control_plane
