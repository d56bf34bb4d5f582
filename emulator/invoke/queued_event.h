// One event in the queue, and the two documents that the store keeps of it: the event as it was
// accepted, written once, and how far it has come, written whenever it waits for its next attempt.
//
// Values; pure. Used by the queue only.
#pragma once

#include "emulator/invoke/event_status.h"
#include "emulator/invoke/invocation.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::invoke {

struct QueuedEvent {
  std::uint64_t sequence = 0;  // in order of acceptance, over restarts too
  InvocationRequest request;
  WallTime accepted;  // for people; age and delays are measured on the monotonic clock
  std::chrono::steady_clock::time_point accepted_at;
  std::chrono::steady_clock::time_point due;
  int attempts_begun = 0;
  int refusals_in_a_row = 0;
  bool has_progress = false;  // there is a document of how far it has come
  EventState state = EventState::queued;
  std::vector<AttemptStatus> attempts;
};

struct EventProgress {
  int attempts_begun = 0;
  int refusals_in_a_row = 0;
  WallTime due;
  std::vector<AttemptStatus> attempts{};  // those that are shown
};

// A line of JSON, then the payload's bytes as they are. Reading gives back request and the wall
// time of acceptance. Errors say what is wrong with the document.
std::string stored_event(const QueuedEvent& event);
tl::expected<QueuedEvent, std::string> read_event(std::string_view text);

// A document without attempts has none to show; of more than kAttemptsShown the latest are read.
std::string stored_progress(const EventProgress& progress);
tl::expected<EventProgress, std::string> read_progress(std::string_view text);

// What is shown of it, apart from the wall time of its next attempt.
EventStatus status_of(const QueuedEvent& event);

}  // namespace emulator::invoke
