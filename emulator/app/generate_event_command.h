// hearth generate-event: an event on standard output, in the shape the service sends it.
//
//   hearth generate-event SERVICE EVENT [--TAG VALUE …] [--from FILE] [--compact]
//   hearth generate-event --list
#pragma once

#include "fixtures/fixture_error.h"
#include "fixtures/generator.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

namespace emulator::app {

// What the command touches besides the file of --from. Streams are borrowed for the call.
struct GenerateEventWorld {
  fixtures::Instant now;
  std::uint64_t seed = 0;  // the same seed, moment and arguments give the same bytes
  std::istream& in;        // read by --from -
  std::ostream& out;       // events and help, nothing else
  std::ostream& err;       // one sentence when refused; what --from did
};

// `arguments` are those after the command's name. The result is the exit status: 0, or 2 for wrong
// usage or a bad file. Events are indented by 2; with --compact or --from each is one line.
int run_generate_event(std::span<const std::string> arguments, const GenerateEventWorld& world);

// The event of `--fixture SERVICE/EVENT --set TAG=VALUE …`, compact, for commands that send one.
// `settings` are the values of --set.
tl::expected<std::string, fixtures::FixtureError> fixture_event(
    std::string_view fixture,
    std::span<const std::string> settings,
    const fixtures::GeneratorWorld& world);

}  // namespace emulator::app
