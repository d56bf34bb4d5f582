// The words of a command line before any command reads them: which command they name, and what to
// say when they name none or hold what it does not take.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace emulator::app {

using Words = std::vector<std::string>;

// Where the command stands: first, or behind --log-level LEVEL. The size of `words` when there is
// none. `words` begin with the program's name, here and below.
std::size_t command_position(const Words& words);

// "help COMMAND" becomes "COMMAND --help", and "help" alone "--help"; other words stay.
Words with_help_as_option(Words words);

// A sentence when the word in the command's place is none of `commands`.
std::optional<std::string> unknown_command(const Words& words, const Words& commands);

// A sentence about the first of the words that `command` did not take, given its options' names.
std::string unexpected_word(const std::string& command, const Words& extras, const Words& options);

}  // namespace emulator::app
