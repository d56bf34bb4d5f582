#include "runtime_api/extension_state.h"

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <utility>

using namespace runtime_api;
using S = ExtensionState;
using C = ExtensionCause;
using Table = std::map<std::pair<S, C>, S>;

namespace {

// What external and internal ones have in common: the calls and what they are given.
Table calls() {
  return {
      {{S::started, C::registered}, S::registered},
      {{S::registered, C::next_called}, S::ready},
      {{S::running, C::next_called}, S::ready},
      {{S::ready, C::event_given}, S::running},
      {{S::registered, C::init_error_reported}, S::init_error},
      {{S::init_error, C::init_error_reported}, S::init_error},
      {{S::registered, C::exit_error_reported}, S::exit_error},
      {{S::ready, C::exit_error_reported}, S::exit_error},
      {{S::running, C::exit_error_reported}, S::exit_error},
      {{S::exit_error, C::exit_error_reported}, S::exit_error},
  };
}

Table of_external_ones() {
  auto table = calls();
  table[{S::started, C::launch_failed}] = S::launch_error;
  for (const auto state :
       {S::started, S::registered, S::ready, S::running, S::init_error, S::exit_error}) {
    table[{state, C::process_ended}] = S::exited;
    table[{state, C::ended_by_force}] = S::shutdown_failed;
  }
  return table;
}

void check_grid(ExtensionKind kind, const Table& allowed) {
  for (int from = 0; from <= static_cast<int>(S::launch_error); ++from) {
    for (int cause = 0; cause <= static_cast<int>(C::ended_by_force); ++cause) {
      const std::pair key{static_cast<S>(from), static_cast<C>(cause)};
      INFO(printed_name(key.first) << " and cause " << cause);
      const auto expected = allowed.find(key);
      const auto to = next_state(kind, key.first, key.second);
      CHECK(to.has_value() == (expected != allowed.end()));
      if (to && expected != allowed.end()) CHECK(*to == expected->second);
    }
  }
}

}  // namespace

TEST_CASE("an external extension's state table allows what the published emulator allows only") {
  check_grid(ExtensionKind::external, of_external_ones());
}

TEST_CASE("an internal extension has no process that could end by itself") {
  check_grid(ExtensionKind::internal, calls());
}

TEST_CASE("every state of an extension has the name that refusals print") {
  CHECK(printed_name(S::started) == "Started");
  CHECK(printed_name(S::registered) == "Registered");
  CHECK(printed_name(S::ready) == "Ready");
  CHECK(printed_name(S::running) == "Running");
  CHECK(printed_name(S::init_error) == "InitError");
  CHECK(printed_name(S::exit_error) == "ExitError");
  CHECK(printed_name(S::shutdown_failed) == "ShutdownFailed");
  CHECK(printed_name(S::exited) == "Exited");
  CHECK(printed_name(S::launch_error) == "LaunchError");
}
