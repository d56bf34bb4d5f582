// How a testee meets its events: from the Runtime API, or, where it is started without one, once
// from TESTEE_EVENT with the answer on stdout, so that a sandbox can be tested without an
// environment around it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace testees {

// The answer to an event; both are JSON.
using Answer = std::function<std::string(std::string_view event)>;

// Returns the program's exit status. The event "rest" is answered with itself and nothing else is
// done, which is how a test sees that the environment still serves.
int answer_events(const Answer& answer);

}  // namespace testees
