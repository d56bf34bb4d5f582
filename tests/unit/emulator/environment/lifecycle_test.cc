#include "emulator/environment/lifecycle.h"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <map>
#include <utility>

using namespace emulator::environment;

TEST_CASE("an environment moves between its phases in these ways and no others", "[environment]") {
  using P = Phase;
  using C = Cause;
  constexpr std::array kPhases = {P::created,
                                  P::initialising,
                                  P::invoking,
                                  P::settling,
                                  P::idle,
                                  P::shutting_down,
                                  P::reset,
                                  P::gone};
  constexpr std::array kCauses = {C::invocation_given,
                                  C::init_begun,
                                  C::init_done,
                                  C::answered,
                                  C::settled,
                                  C::shutdown_begun,
                                  C::processes_lost,
                                  C::retired};
  const std::map<std::pair<P, C>, P> allowed = {
      {{P::created, C::init_begun}, P::initialising},
      {{P::reset, C::init_begun}, P::initialising},
      {{P::initialising, C::init_done}, P::idle},
      {{P::idle, C::invocation_given}, P::invoking},
      {{P::invoking, C::answered}, P::settling},
      {{P::invoking, C::settled}, P::idle},
      {{P::settling, C::settled}, P::idle},
      {{P::initialising, C::shutdown_begun}, P::shutting_down},
      {{P::invoking, C::shutdown_begun}, P::shutting_down},
      {{P::settling, C::shutdown_begun}, P::shutting_down},
      {{P::idle, C::shutdown_begun}, P::shutting_down},
      {{P::shutting_down, C::processes_lost}, P::reset},
      {{P::shutting_down, C::retired}, P::gone},
      {{P::initialising, C::processes_lost}, P::reset},
      {{P::invoking, C::processes_lost}, P::reset},
      {{P::settling, C::processes_lost}, P::reset},
      {{P::idle, C::processes_lost}, P::reset},
      {{P::reset, C::processes_lost}, P::reset},
      {{P::created, C::retired}, P::gone},
      {{P::initialising, C::retired}, P::gone},
      {{P::invoking, C::retired}, P::gone},
      {{P::settling, C::retired}, P::gone},
      {{P::idle, C::retired}, P::gone},
      {{P::reset, C::retired}, P::gone},
  };
  for (const auto phase : kPhases) {
    for (const auto cause : kCauses) {
      CAPTURE(name_of(phase), static_cast<int>(cause));
      const auto found = allowed.find({phase, cause});
      const auto to = next_phase(phase, cause);
      CHECK(to.has_value() == (found != allowed.end()));
      if (to && found != allowed.end()) CHECK(*to == found->second);
    }
  }
}
