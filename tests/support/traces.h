// What a sandbox may leave behind on the host, found by looking at the host.
//
// Its owner's thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace tests {

// A variable that no other process has, "TESTEE_TAG=…": whatever inherited it can be found.
std::string new_tag();

// Processes whose environment holds it, zombies not counted; of any namespace.
std::vector<pid_t> processes_with(const std::string& tag);

// Folders of control groups named for this Hearth, and those below them, in whatever hierarchy.
std::vector<std::string> control_groups_of(pid_t hearth);

// Lines of this process's /proc/self/mountinfo that hold `text`.
std::vector<std::string> mounts_with(const std::string& text);

int open_descriptors();
std::vector<pid_t> child_processes();
long resident_kib();

// Looks again and again until it is so. False after a few seconds, which what is killed needs less
// of.
bool soon(const std::function<bool()>& is_so);

}  // namespace tests
