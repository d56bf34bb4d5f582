// What this kernel and this user may do. Probed once into a value that is printed and planned from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace emulator::sandbox {

struct Capability {
  std::string name;  // "user namespaces"
  bool available = false;
  std::string detail;  // what was found, or why not
  std::string remedy;  // the command that would give it; empty when there is none or no need
};

struct HostCapabilities {
  std::string kernel;
  int cpus = 0;
  std::uint64_t memory_bytes = 0;
  bool superuser = false;
  std::vector<Capability> list;
};

// Tries each thing in a child of its own where trying changes the caller. A few milliseconds.
HostCapabilities probe_host();

}  // namespace emulator::sandbox
