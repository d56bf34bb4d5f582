// Who may call what, when: the states of an extension and the one function between them.
//
// Source: the state tables of the emulator that AWS publishes; the names are the ones it prints.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace runtime_api {

// An external extension is a process of its own, started before the runtime. An internal one lives
// in the runtime's process, and nobody knows of it until it registers.
enum class ExtensionKind : std::uint8_t { external, internal };

enum class ExtensionState : std::uint8_t {
  started,          // launched, or not heard of yet; has not registered
  registered,       // has registered, has not asked for an event
  ready,            // waits in event/next
  running,          // holds an event
  init_error,       // reported that it cannot initialise
  exit_error,       // reported that it is about to exit
  shutdown_failed,  // ended by force, because it did not end in time
  exited,           // its process has ended
  launch_error,     // its process could not be started
};

enum class ExtensionCause : std::uint8_t {
  registered,
  next_called,
  event_given,
  init_error_reported,
  exit_error_reported,
  launch_failed,
  process_ended,
  ended_by_force,
};

// nullopt: refused, and nothing changes.
constexpr std::optional<ExtensionState> next_state(ExtensionKind kind,
                                                   ExtensionState from,
                                                   ExtensionCause cause) {
  using S = ExtensionState;
  using C = ExtensionCause;
  const bool external = kind == ExtensionKind::external;
  const bool over = from == S::shutdown_failed || from == S::exited || from == S::launch_error;
  switch (cause) {
    case C::registered:
      if (from == S::started) return S::registered;
      return std::nullopt;
    case C::next_called:
      if (from == S::registered || from == S::running) return S::ready;
      return std::nullopt;
    case C::event_given:
      if (from == S::ready) return S::running;
      return std::nullopt;
    case C::init_error_reported:
      // A second report of the same changes nothing and is no fault.
      if (from == S::registered || from == S::init_error) return S::init_error;
      return std::nullopt;
    case C::exit_error_reported:
      if (from == S::registered || from == S::ready || from == S::running ||
          from == S::exit_error) {
        return S::exit_error;
      }
      return std::nullopt;
    case C::launch_failed:
      if (external && from == S::started) return S::launch_error;
      return std::nullopt;
    case C::process_ended:
      if (external && !over) return S::exited;
      return std::nullopt;
    case C::ended_by_force:
      if (external && !over) return S::shutdown_failed;
      return std::nullopt;
  }
  return std::nullopt;
}

static_assert(!next_state(ExtensionKind::external,
                          ExtensionState::ready,
                          ExtensionCause::next_called));
static_assert(!next_state(ExtensionKind::internal,
                          ExtensionState::running,
                          ExtensionCause::process_ended));

// The state's name in refusals.
constexpr std::string_view printed_name(ExtensionState state) {
  switch (state) {
    case ExtensionState::started:
      return "Started";
    case ExtensionState::registered:
      return "Registered";
    case ExtensionState::ready:
      return "Ready";
    case ExtensionState::running:
      return "Running";
    case ExtensionState::init_error:
      return "InitError";
    case ExtensionState::exit_error:
      return "ExitError";
    case ExtensionState::shutdown_failed:
      return "ShutdownFailed";
    case ExtensionState::exited:
      return "Exited";
    case ExtensionState::launch_error:
      return "LaunchError";
  }
  return "";
}

}  // namespace runtime_api
