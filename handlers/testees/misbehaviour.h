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
//
// These answer each event but "rest", which they hand back; without AWS_LAMBDA_RUNTIME_API they do
// it once, for TESTEE_EVENT, and print the answer (handlers/testees/answering.h). env_printer too.
//
//   hogs_memory           touches TESTEE_BYTES (1 GiB)
//   hogs_memory_in_init   the same, before its first next
//   child_hogs_memory     a child does, and its end is the answer
//   children_hog_memory   TESTEE_COUNT (8) children do, a share each
//   hogs_memory_behind_a_descriptor   writes TESTEE_BYTES (1 GiB) to a file that has no name
//   fills_disk            writes TESTEE_BYTES (1 GiB) to TESTEE_FILE (/tmp/filler)
//   fills_disk_with_files   makes TESTEE_COUNT (1000000) empty files in /tmp
//   hogs_descriptors      opens up to TESTEE_COUNT (100000)
//   bombs_processes       its processes fork, all of them, up to TESTEE_COUNT (5000), and stay
//   breeds_processes      processes that each fork a successor and end, TESTEE_COUNT (1000000)
//   times bombs_threads         starts up to TESTEE_COUNT (5000), which stay spins_in_threads four
//   use their CPUs for TESTEE_DELAY_MS (1000) attempts              tries what should be forbidden
//   (handlers/testees/attempts.h) outlives              leaves a daemon behind; echoes
//   ignores_signals       behaves, but ignores and blocks every signal that can be
//   counts_in_background  a thread counts milliseconds of sleep; answers with the count
//   arms_timer            a thread says so TESTEE_DELAY_MS (100) after the invocation; echoes
//   keeps_connection      opens a connection to the address it is given first, and uses it again
//                         for each event
//
// With TESTEE_LEAVES_DAEMON set, every mode leaves a daemon behind first.
#pragma once

#include <string_view>

namespace testees {

// Runs one mode and returns the program's exit status; an unknown mode is 64.
int misbehave(std::string_view mode);

}  // namespace testees
