// The phases of an execution environment, what moves it between them, and the one function that
// decides.
//
// Source: developer guide, "Lambda execution environment lifecycle"; the split of the Invoke phase
// into invoking and settling follows its rule that the caller has its answer when the response is
// complete, while the environment is busy until its processes ask for the next event.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace emulator::environment {

enum class Phase : std::uint8_t {
  created,        // no process yet
  initialising,   // the runtime starts
  invoking,       // an invocation runs
  settling,       // it is answered; the runtime has not asked for the next one
  idle,           // waits for an invocation
  shutting_down,  // its extensions are told; afterwards it serves again
  reset,          // its processes are gone; the next invocation starts new ones
  gone,           // retired
};

enum class Cause : std::uint8_t {
  invocation_given,
  init_begun,
  init_done,
  answered,
  settled,
  shutdown_begun,
  processes_lost,
  retired,
};

// nullopt: refused, and nothing changes.
constexpr std::optional<Phase> next_phase(Phase from, Cause cause) {
  using P = Phase;
  if (from == P::gone) return std::nullopt;
  switch (cause) {
    case Cause::init_begun:
      if (from == P::created || from == P::reset) return P::initialising;
      return std::nullopt;
    case Cause::init_done:
      if (from == P::initialising) return P::idle;
      return std::nullopt;
    case Cause::invocation_given:
      if (from == P::idle) return P::invoking;
      return std::nullopt;
    case Cause::answered:
      if (from == P::invoking) return P::settling;
      return std::nullopt;
    case Cause::settled:
      if (from == P::invoking || from == P::settling) return P::idle;
      return std::nullopt;
    case Cause::shutdown_begun:
      if (from == P::created || from == P::reset || from == P::shutting_down) return std::nullopt;
      return P::shutting_down;
    case Cause::processes_lost:
      if (from == P::created) return std::nullopt;
      return P::reset;
    case Cause::retired:
      return P::gone;
  }
  return std::nullopt;
}

static_assert(!next_phase(Phase::gone, Cause::invocation_given));
static_assert(next_phase(Phase::reset, Cause::init_begun) == Phase::initialising);

constexpr std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::created:
      return "created";
    case Phase::initialising:
      return "initialising";
    case Phase::invoking:
      return "invoking";
    case Phase::settling:
      return "settling";
    case Phase::idle:
      return "idle";
    case Phase::shutting_down:
      return "shutting_down";
    case Phase::reset:
      return "reset";
    case Phase::gone:
      return "gone";
  }
  return "";
}

}  // namespace emulator::environment
