// Who may call what, when: the states of a runtime and the one function between them.
//
// Source: the state table of the emulator that AWS publishes; the names are the ones it prints.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace runtime_api {

enum class RuntimeState : std::uint8_t {
  started,                    // launched, has not called yet
  init_error,                 // reported that it cannot initialise
  ready,                      // waits in /next
  running,                    // holds an invocation
  invocation_response,        // its response is arriving
  invocation_error_response,  // its error is arriving
  response_sent,              // answered, has not asked for the next invocation
  restore_ready,              // waits in /restore/next: what there is now is the snapshot
  restoring,                  // was told that it is restored, runs its hooks
  restore_error,              // reported that they failed
};

enum class RuntimeCause : std::uint8_t {
  next_called,
  invocation_given,
  response_begun,
  error_begun,
  answer_complete,
  answer_refused,  // a bad header: the answer does not count and may be sent again
  init_error_reported,
  restore_next_called,
  restored,
  restore_error_reported,
};

// nullopt: refused, and nothing changes.
constexpr std::optional<RuntimeState> next_state(RuntimeState from, RuntimeCause cause) {
  using S = RuntimeState;
  using C = RuntimeCause;
  switch (cause) {
    case C::next_called:
      if (from == S::started || from == S::ready || from == S::response_sent ||
          from == S::restoring) {
        return S::ready;
      }
      // A runtime that asks again while it holds an invocation is given the same one again.
      if (from == S::running) return S::running;
      return std::nullopt;
    case C::invocation_given:
      if (from == S::ready || from == S::running) return S::running;
      return std::nullopt;
    case C::response_begun:
      if (from == S::running) return S::invocation_response;
      return std::nullopt;
    case C::error_begun:
      if (from == S::running) return S::invocation_error_response;
      return std::nullopt;
    case C::answer_complete:
      if (from == S::invocation_response || from == S::invocation_error_response) {
        return S::response_sent;
      }
      return std::nullopt;
    case C::answer_refused:
      if (from == S::invocation_response || from == S::invocation_error_response) {
        return S::running;
      }
      return std::nullopt;
    case C::init_error_reported:
      if (from == S::started) return S::init_error;
      // Its Init is over: what it means is that the restore failed.
      if (from == S::restoring) return S::restore_error;
      return std::nullopt;
    case C::restore_next_called:
      if (from == S::started) return S::restore_ready;
      return std::nullopt;
    case C::restored:
      if (from == S::restore_ready) return S::restoring;
      return std::nullopt;
    case C::restore_error_reported:
      if (from == S::restoring) return S::restore_error;
      return std::nullopt;
  }
  return std::nullopt;
}

static_assert(next_state(RuntimeState::started, RuntimeCause::next_called) == RuntimeState::ready);
static_assert(!next_state(RuntimeState::response_sent, RuntimeCause::response_begun));
static_assert(!next_state(RuntimeState::init_error, RuntimeCause::init_error_reported));
static_assert(!next_state(RuntimeState::restore_error, RuntimeCause::next_called));

// The state's name in refusals.
constexpr std::string_view printed_name(RuntimeState state) {
  switch (state) {
    case RuntimeState::started:
      return "Started";
    case RuntimeState::init_error:
      return "InitError";
    case RuntimeState::ready:
      return "Ready";
    case RuntimeState::running:
      return "Running";
    case RuntimeState::invocation_response:
      return "InvocationResponse";
    case RuntimeState::invocation_error_response:
      return "InvocationErrorResponse";
    case RuntimeState::response_sent:
      return "RuntimeResponseSentState";
    case RuntimeState::restore_ready:
      return "RestoreReady";
    case RuntimeState::restoring:
      return "Restoring";
    case RuntimeState::restore_error:
      return "RuntimeRestoreErrorState";
  }
  return "";
}

}  // namespace runtime_api
