#include "emulator/control_plane/invoke_stream.h"

#include "emulator/control_plane/snap_start.h"
#include "emulator/front_doors/event_stream.h"
#include "emulator/functions/base64.h"
#include "emulator/invoke/error_body.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

namespace emulator::control_plane {
namespace {

using front_doors::Client;
using front_doors::Reply;
using front_doors::SendPiece;
using invoke::InvocationResult;
using invoke::StreamedInvocation;

constexpr std::string_view kBytes = "application/octet-stream";
constexpr std::string_view kJson = "application/json";

// What every error of a function is called, as X-Amz-Function-Error calls it.
constexpr const char* kUnhandled = "Unhandled";

void append_event(std::string& out,
                  std::string_view type,
                  std::string_view content_type,
                  std::string_view payload) {
  front_doors::append_event_message(
      out,
      {{":event-type", type}, {":content-type", content_type}, {":message-type", "event"}},
      payload);
}

// What of a call outlives the moment at which the invocation takes its request over.
struct Asked {
  std::string request_id;
  std::optional<std::string> trace_id;
  invoke::ReleaseAt release_at;
};

InvokeComplete complete_of(InvocationResult& result, const Asked& asked) {
  InvokeComplete complete;
  if (!environment::succeeded(result.outcome)) {
    complete.error_code = kUnhandled;
    complete.error_details =
        invoke::error_body(result.outcome, asked.request_id, invoke::Profile::aws);
  }
  if (asked.release_at == invoke::ReleaseAt::report) complete.log_tail = std::move(result.log_tail);
  return complete;
}

// An invocation that is refused or cancelled after its response has begun; nothing does that today,
// but a stream must have an end.
InvokeComplete complete_of(const invoke::Refusal& refusal) {
  return {.error_code = kUnhandled, .error_details = refusal.message, .log_tail = {}};
}

Reply stream_reply(const Asked& asked, std::string content_type, std::string executed_version) {
  Reply reply;
  reply.content_type = front_doors::kEventStreamType;
  reply.headers.push_back({"x-amzn-RequestId", asked.request_id});
  reply.headers.push_back({"X-Amz-Executed-Version", std::move(executed_version)});
  if (content_type.empty()) content_type = kBytes;
  reply.headers.push_back({"X-Amzn-Remapped-Content-Type", std::move(content_type)});
  if (asked.trace_id) reply.headers.push_back({"X-Amzn-Trace-Id", *asked.trace_id});
  return reply;
}

// Passes on what comes until it ends. A client that has gone does not end it.
void send_events(StreamedInvocation& invocation, const Asked& asked, const SendPiece& send) {
  std::string message;
  while (const auto piece = invocation.next()) {
    message.clear();
    append_payload_chunk(message, *piece);
    send(message);
  }
  auto ended = invocation.end();
  message.clear();
  append_invoke_complete(message, ended ? complete_of(*ended, asked) : complete_of(ended.error()));
  send(message);
}

// An answer that came in one piece, or a failure before the first.
Reply whole_reply(InvocationResult result, const Asked& asked) {
  if (const auto* unrestored = std::get_if<environment::RestoreFailed>(&result.outcome)) {
    return error_reply(from_restore_failure(*unrestored), asked.request_id);
  }
  auto* responded = std::get_if<environment::Responded>(&result.outcome);
  auto body = responded ? std::move(responded->body) : std::string();
  auto content_type = responded ? std::move(responded->content_type) : std::string(kJson);
  auto reply = stream_reply(asked, std::move(content_type), std::move(result.executed_version));
  reply.stream = [body = std::move(body),
                  complete = complete_of(result, asked)](const SendPiece& send) {
    std::string message;
    for (std::string_view rest = body; !rest.empty();) {
      const auto chunk = rest.substr(0, kMaxChunkBytes);
      rest.remove_prefix(chunk.size());
      message.clear();
      append_payload_chunk(message, chunk);
      if (send(message) == Client::gone) return;
    }
    message.clear();
    append_invoke_complete(message, complete);
    send(message);
  };
  return reply;
}

}  // namespace

void append_payload_chunk(std::string& out, std::string_view bytes) {
  append_event(out, "PayloadChunk", kBytes, bytes);
}

void append_invoke_complete(std::string& out, const InvokeComplete& complete) {
  auto members = nlohmann::ordered_json::object();
  if (!complete.error_code.empty()) {
    members["ErrorCode"] = complete.error_code;
    members["ErrorDetails"] = complete.error_details.substr(0, kMaxErrorDetailsBytes);
  }
  if (complete.log_tail) members["LogResult"] = functions::base64_encoded(*complete.log_tail);
  // What is not UTF-8, a character cut in two among it, becomes the replacement character.
  const auto payload =
      members.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  append_event(out, "InvokeComplete", kJson, payload);
}

tl::expected<Reply, invoke::Refusal> stream_invocation(invoke::InvocationRequest request,
                                                       const invoke::Invoke& invoke,
                                                       invoke::StreamPace pace) {
  const Asked asked{request.request_id, request.trace_id, request.release_at};
  auto started = StreamedInvocation::start(invoke, std::move(request), pace);
  if (!started) return tl::unexpected(std::move(started.error()));
  const std::shared_ptr<StreamedInvocation> invocation = std::move(*started);
  auto begun = invocation->await_begin();
  if (!begun) {
    auto ended = invocation->end();
    if (!ended) return tl::unexpected(std::move(ended.error()));
    return whole_reply(std::move(*ended), asked);
  }
  auto reply =
      stream_reply(asked, std::move(begun->content_type), std::move(begun->executed_version));
  reply.stream = [invocation, asked](const SendPiece& send) {
    send_events(*invocation, asked, send);
  };
  return reply;
}

}  // namespace emulator::control_plane
