// What a function may try and should not get, an act each. Where nothing holds an act back it does
// no harm: what it asks of the kernel is then invalid in another way, or changes nothing.
#pragma once

#include <string>
#include <string_view>

namespace testees {

// Does one act; `target` is the file, process or address it is aimed at, or empty. The result is
// "done", or the name of the error that forbade it, or a word of the act's own.
std::string attempt(std::string_view act, const std::string& target);

// The answer to [{"act":NAME,"target":TEXT},…]: their results, in order.
std::string attempt_all(std::string_view event);

int attempts();

}  // namespace testees
