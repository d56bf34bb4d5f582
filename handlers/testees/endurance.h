// Testees that want to be there when they should not: after their parent, and while the environment
// stands still.
#pragma once

namespace testees {

// Leaves a process behind that has no parent, session, terminal, output or working folder of ours,
// and heeds no signal that can be ignored. It takes this program's variables with it.
void leave_daemon();

int outlives();
int ignores_signals();
int counts_in_background();
int arms_timer();
int keeps_connection();

}  // namespace testees
