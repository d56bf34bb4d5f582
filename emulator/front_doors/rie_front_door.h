// The HTTP front door of the emulator AWS publishes (RIE), in its classic mode: one function, one
// path, any method. What a request means and what each outcome looks like from outside; the
// listening is rie_server.h's.
//
// Source of every fact here: RIE observed as a black box, unless a comment says otherwise.
//
// Pure but for the functions handed in; any thread.
#pragma once

#include "emulator/front_doors/http_message.h"
#include "emulator/invoke/invocation.h"

#include <tl/expected.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace emulator::front_doors {

inline constexpr std::string_view kRieInvocationPath = "/2015-03-31/functions/function/invocations";

// RIE's own limit of a request's body. Beyond it RIE cuts the event silently, which is a defect;
// here the request is refused with 413, as the service does at about the same size.
inline constexpr std::size_t kMaxRieRequestBytes = 6'291'556;

struct RieFrontDoor {
  // See rie_managed_door.h for the second.
  enum class Mode { classic, managed_instances } mode = Mode::classic;
  invoke::Invoke invoke;
  std::function<std::string()> new_request_id;
  std::string function_name = "test_function";  // what the machine below knows the function as
};

// Whether the request would invoke. Looks at the path only: the method does not matter, and neither
// does the query.
bool is_rie_invocation(const Request& head);

// The reply to a request outside kRieInvocationPath: 301 to the clean spelling of a path with empty
// or dot segments, else 404.
Reply rie_path_reply(const Request& head);

// The reply to a body beyond kMaxRieRequestBytes.
Reply rie_too_large_reply();

// What an invocation is made of. An error is the reply to a client context that is not base64.
tl::expected<invoke::InvocationRequest, Reply> parse_rie_request(Request request,
                                                                 std::string request_id,
                                                                 std::string function_name);

// The status and body of an outcome. Function errors carry X-Amz-Function-Error: Unhandled, which
// RIE does not send: its clients ignore it, and the SDKs' need it.
Reply rie_reply(invoke::InvocationResult result, std::string_view request_id);

// The reply to an invocation that was not run. Ours: RIE crashes in these cases.
Reply rie_refusal_reply(const invoke::Refusal& refusal);

// All of the above in order; blocks for as long as the invocation lasts.
Reply answer_rie(Request request, const RieFrontDoor& door);

}  // namespace emulator::front_doors
