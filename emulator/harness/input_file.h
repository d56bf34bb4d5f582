// Files and standard input as sources of bytes, whose reading can be ended from elsewhere.
#pragma once

#include "emulator/harness/event_reader.h"
#include "emulator/sandbox/unique_fd.h"

#include <tl/expected.hpp>

#include <string>

namespace emulator::harness {

// "-": standard input.
inline constexpr auto kStandardInput = "-";

// Any thread.
class InputFiles {
 public:
  InputFiles();

  // See OpenFile. A source must not outlive this object. Folders are refused.
  tl::expected<ByteSource, HarnessError> open(const std::string& name) const;

  // From now on every source is at its end, also one that waits for a pipe.
  void stop() const;

 private:
  sandbox::UniqueFd stopped_;  // an eventfd: readable once stopped
};

}  // namespace emulator::harness
