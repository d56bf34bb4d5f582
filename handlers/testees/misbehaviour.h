// The modes of the testee program. Figures come from environment variables, so that one test may
// ask for 1 ms and another for 10 s.
//
//   echo                  behaves: answers with the event
//   exits_in_init         exits before its first next; TESTEE_EXIT_CODE (1)
//   exits_during_invoke   exits with an invocation at hand; TESTEE_EXIT_CODE (1)
//   exits_after_response  exits once it has answered; TESTEE_EXIT_CODE (1)
//   crashes_in_init       raises TESTEE_SIGNAL (11) before its first next
//   crashes               raises TESTEE_SIGNAL (11) with an invocation at hand
//   slow_init             waits TESTEE_DELAY_MS (forever) before its first next, then echoes
//   sleeps_forever        waits TESTEE_DELAY_MS (forever) with an invocation at hand, then echoes
//   spins                 uses a whole CPU, for ever, with an invocation at hand
//   init_error            posts /init/error, then exits with TESTEE_EXIT_CODE (1)
//   init_error_stays      posts /init/error, then stays
//   function_error        answers with an error; TESTEE_ERROR_TYPE (CustomError)
//   responds_twice        answers each invocation twice; echoes
//   garbage_speaker       first writes bytes that are no HTTP to the Runtime API; then echoes
//   oversized_response    answers with TESTEE_BYTES (6291557) bytes of JSON string
//   truncated_response    announces TESTEE_BYTES (1000) bytes, sends half and closes; then stays
//   chatty_logger         writes TESTEE_LINES (100) lines, one of TESTEE_BYTES (300000) bytes, and
//                         an end without a newline, to stdout and stderr; echoes
//   env_printer           answers with its environment, working folder, limits and descriptors
//   slow_after_response   waits TESTEE_DELAY_MS (100) between its answer and the following next
//   forks_child           leaves a child behind that holds the output open; answers with its pid
//   ignores_sigterm       behaves, but does not heed SIGTERM
#pragma once

#include <string_view>

namespace testees {

// Runs one mode and returns the program's exit status; an unknown mode is 64.
int misbehave(std::string_view mode);

}  // namespace testees
