// Testees that take all they can get of one thing. Each stops at TESTEE_COUNT or TESTEE_BYTES, so
// that a host whose sandbox does not hold is not lost; what they got is their answer, with the name
// of the error that ended it, "" for none.
#pragma once

namespace testees {

int hogs_memory();
int hogs_memory_in_init();
int child_hogs_memory();
int children_hog_memory();
int hogs_memory_behind_a_descriptor();
int fills_disk();
int fills_disk_with_files();
int hogs_descriptors();
int bombs_processes();
int breeds_processes();
int bombs_threads();
int spins_in_threads();

}  // namespace testees
