// One invocation whose response is passed on while it arrives.
//
// It runs on a thread of its own, because the caller's is needed to write to the client: the
// function must not wait for a client but through the bounded stream between the two, and the
// client must have each piece as soon as it is there.
#pragma once

#include "emulator/invoke/invocation.h"
#include "emulator/invoke/stream_bandwidth.h"
#include "emulator/time/clock.h"
#include "emulator/time/timer_queue.h"
#include "runtime_api/response_stream.h"

#include <tl/expected.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace emulator::invoke {

// How fast responses flow, and the time by which that is measured: the one that processes have.
// Without a clock, which only tests leave out, they flow as they come. Both must outlive whatever
// is paced.
struct StreamPace {
  StreamBandwidth bandwidth{};
  const time::Clock* clock = nullptr;
  time::TimerQueue* timers = nullptr;  // not on its own thread
};

// Its owner's thread. The invocation goes on to its end whatever becomes of the reader: on Lambda a
// broken connection of the caller neither stops nor interrupts a streamed response. Source:
// developer guide, response streaming.
class StreamedInvocation {
 public:
  using Ended = tl::expected<InvocationResult, Refusal>;

  // Starts it. Fails where the host allows no further thread.
  static tl::expected<std::unique_ptr<StreamedInvocation>, Refusal> start(Invoke invoke,
                                                                          InvocationRequest request,
                                                                          StreamPace pace);
  StreamedInvocation(const StreamedInvocation&) = delete;
  StreamedInvocation& operator=(const StreamedInvocation&) = delete;
  ~StreamedInvocation();  // drops what still comes, at the pace of a reader, and waits for the end

  struct Begun {
    std::string content_type;  // the runtime's; empty where it named none
    std::string executed_version;
  };

  // Blocks until the function begins to stream. Nothing: the invocation is over, and was refused,
  // answered in one piece or failed; then comes end().
  std::optional<Begun> await_begin();

  // Blocks until there are further bytes and the pace lets them pass; good until the next call.
  // Nothing: the response has ended, whole or not; then comes end().
  std::optional<std::string_view> next();

  // Blocks until the invocation is over, and says how. Once. The result's body is empty if the
  // response was streamed. What the invocation threw, a defect, is thrown on.
  Ended end();

 private:
  explicit StreamedInvocation(StreamPace pace);
  void wait_until(time::TimerQueue::TimePoint moment) const;

  const StreamPace pace_;
  std::optional<StreamBucket> bucket_;
  const std::shared_ptr<runtime_api::ResponseStream> stream_;
  std::string piece_;
  std::string executed_version_;  // the invoking thread's until the stream begins or ends
  Ended ended_;                   // these two are the invoking thread's while there is one
  std::exception_ptr defect_;
  std::jthread invoking_;
};

}  // namespace emulator::invoke
