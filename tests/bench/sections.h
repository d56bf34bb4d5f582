// What machine_bench measures, a section each. Every one prints what it found next to what is
// wanted, or one line that begins "SKIPPED:" and says what this host lacks for it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace bench {

// The same work at five memory sizes: does time × share stay the same?
void time_times_share(int rounds);

// A spinning process: has it the share that its memory size gives?
void measured_share(int rounds);

// What the full sandbox adds to a cold start, beside bubblewrap.
void cold_start(int rounds);

// What thawing adds to a warm invoke.
void thaw(int rounds);

// Many environments alive at once.
void scale(int environments);

// Load, with a function's process killed every tenth of a second. Returns whether every invocation
// ended as it should.
bool soak(std::chrono::seconds duration);

}  // namespace bench
