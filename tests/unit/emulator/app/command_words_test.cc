#include "emulator/app/command_words.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::app;

namespace {

const Words kCommands = {"invoke", "serve", "rie", "generate-event"};

}  // namespace

TEST_CASE("a command stands first or behind the log level", "[app]") {
  CHECK(command_position({"hearth", "serve"}) == 1);
  CHECK(command_position({"hearth", "--log-level", "debug", "serve"}) == 3);
  CHECK(command_position({"hearth", "--log-level=debug", "serve"}) == 2);
  CHECK(command_position({"hearth"}) == 1);
  CHECK(command_position({"hearth", "--log-level"}) == 2);
}

TEST_CASE("help for a command can be asked for in front of it", "[app]") {
  CHECK(with_help_as_option({"hearth", "help"}) == Words{"hearth", "--help"});
  CHECK(with_help_as_option({"hearth", "help", "rie"}) == Words{"hearth", "rie", "--help"});
  CHECK(with_help_as_option({"hearth", "invoke", "help"}) == Words{"hearth", "invoke", "help"});
}

TEST_CASE("an unknown command is answered with the one that was meant", "[app]") {
  CHECK_FALSE(unknown_command({"hearth", "serve"}, kCommands));
  CHECK_FALSE(unknown_command({"hearth", "--version"}, kCommands));
  CHECK(unknown_command({"hearth", "invok"}, kCommands) ==
        "there is no command 'invok' (did you mean 'invoke'?); see hearth --help");
  CHECK(unknown_command({"hearth", "start-lambda"}, kCommands) ==
        "there is no command 'start-lambda'; use hearth serve");
}

TEST_CASE("a word that a command does not take is named with what was meant", "[app]") {
  CHECK(unexpected_word("invoke", {"--evnt", "x"}, {"--event", "--payload"}) ==
        "there is no option '--evnt' (did you mean '--event'?); see hearth invoke --help");
  CHECK(unexpected_word("invoke", {"more"}, {}) ==
        "'more' is one word too many; see hearth invoke --help");
  CHECK(unexpected_word("", {"--verbos"}, {}) ==
        "there is no option '--verbos'; see hearth --help");
}
