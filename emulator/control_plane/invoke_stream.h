// InvokeWithResponseStream: an invocation whose response is sent while it arrives, as a stream of
// events: PayloadChunk for its bytes, then one InvokeComplete.
//
// Sources: the public service model for names and members; a stream recorded from the service,
// 2023, for the messages' headers, the empty InvokeComplete of a success and where the function's
// content type is told; programs in wide use for the ErrorCode "Unhandled". INF: that ErrorDetails
// is the document which a buffered Invoke has for its body, and that a function error is told there
// alone.
//
// Any thread.
#pragma once

#include "emulator/front_doors/http_message.h"
#include "emulator/invoke/streamed_invocation.h"

#include <tl/expected.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::control_plane {

// Of ErrorDetails; what exceeds it is cut off. Our choice: escaped as JSON it may be six times as
// long, and must fit into one message beside the log.
inline constexpr std::size_t kMaxErrorDetailsBytes = std::size_t{2} * 1024 * 1024;

// Of one PayloadChunk where a response comes in one piece. Our choice: what a streamed one's have.
inline constexpr std::size_t kMaxChunkBytes = runtime_api::kMaxWaitingStreamBytes;

// Appends a PayloadChunk of kMaxChunkBytes at most.
void append_payload_chunk(std::string& out, std::string_view bytes);

// How an invocation ended: both of the first are empty for a success.
struct InvokeComplete {
  std::string error_code;
  std::string error_details;
  std::optional<std::string> log_tail;  // as it is; only where it was asked for
};
void append_invoke_complete(std::string& out, const InvokeComplete& complete);

// Runs the invocation, and answers when its response begins or it is over; the reply's stream then
// sends the events. Blocks until then. A refusal comes before anything was sent. `request` says by
// its ReleaseAt whether the log is sent.
tl::expected<front_doors::Reply, invoke::Refusal> stream_invocation(
    invoke::InvocationRequest request, const invoke::Invoke& invoke, invoke::StreamPace pace);

}  // namespace emulator::control_plane
