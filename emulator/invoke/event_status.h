// What can be seen of an event that was accepted: where it stands, and what was tried when.
//
// Values only; any thread.
#pragma once

#include "emulator/invoke/retry_schedule.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace emulator::invoke {

using WallTime = std::chrono::system_clock::time_point;

enum class EventState {
  queued,   // its time has come; waits for a thread
  waiting,  // for its next attempt's time
  running,
  done,
};

struct AttemptStatus {
  WallTime started;
  // "Success", an error type such as "Runtime.ExitError", "Throttled", "ServiceError" or
  // "FunctionNotFound". Empty: not over yet.
  std::string outcome;
  // Until the next attempt, and why; nullopt when there is none to come.
  std::optional<WaitFor> wait;
};

struct EventStatus {
  std::uint64_t sequence = 0;  // in order of acceptance
  std::string request_id;      // of every attempt
  std::string function_name;
  std::optional<std::string> qualifier;
  WallTime accepted;
  EventState state = EventState::queued;
  int attempts_begun = 0;  // without those that were refused
  // The latest kAttemptsShown, refused ones among them, over restarts too. Those that a kill or a
  // stop cut off are not among them.
  std::vector<AttemptStatus> attempts;
  std::optional<WallTime> next_due;    // while it waits
  std::optional<WallTime> ended;       // once it is done
  std::optional<Condition> condition;  // once it is done
};

// Our choice: those of six hours of back-off, and room for retries.
inline constexpr std::size_t kAttemptsShown = 100;

}  // namespace emulator::invoke
