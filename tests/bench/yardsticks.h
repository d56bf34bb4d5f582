// What the figures are compared with: the same load on a bare server of the same HTTP library.
#pragma once

#include "tests/bench/measured_program.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

// Serves POST /echo until standard input ends; the first line on standard output is its port.
// Run as a program of its own, as the measured one is.
[[noreturn]] void serve_bare_echo();

struct Load {
  int port = 0;
  std::string path;
  std::string body;
  int clients = 1;
  int calls = 0;  // of each client
};

struct LoadResult {
  std::vector<Nanoseconds> sorted;
  Nanoseconds elapsed{};
  std::uint64_t errors = 0;

  Nanoseconds at(double percent) const;
  double per_second() const;
};

// Every client has a connection of its own, kept alive, and sends its next call when it has the
// answer to the last.
LoadResult run(const Load& load);

}  // namespace bench
