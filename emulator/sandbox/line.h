// A pair of connected sockets between Hearth and a child: records that arrive whole, and the end of
// the other side as the end of the line.
#pragma once

#include "emulator/sandbox/launch_step.h"
#include "emulator/sandbox/sandbox.h"
#include "emulator/sandbox/unique_fd.h"

#include <tl/expected.hpp>

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

namespace emulator::sandbox {

struct Line {
  UniqueFd ours;
  UniqueFd theirs;
};

// Both ends close on exec and lie above the standard streams.
tl::expected<Line, SandboxError> make_line();

// Standard streams that Hearth was started without must not end up under our descriptors: a child
// places its own at those numbers.
UniqueFd above_standard_streams(UniqueFd descriptor);

// The next record, as much of it as fits, and the descriptor that came with it, which closes on
// exec. 0: the other side is gone; -1: failed, with errno. Blocks.
ssize_t receive_record(const UniqueFd& line, void* bytes, std::size_t size, UniqueFd& descriptor);

struct ReceivedReport {
  LaunchReport report;
  UniqueFd descriptor;  // that came with it
};

// The next report, or nothing when the other side is gone. Blocks.
std::optional<ReceivedReport> receive_report(const UniqueFd& line);

// "OPERATION failed: REASON", with errno.
SandboxError system_error(const std::string& operation);

}  // namespace emulator::sandbox
