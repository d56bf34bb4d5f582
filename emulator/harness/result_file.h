// Files of results: written a batch of lines at a time, and taken up where they end.
#pragma once

#include "emulator/harness/event_reader.h"
#include "emulator/harness/harness_error.h"
#include "emulator/harness/line_reader.h"
#include "emulator/harness/result_line.h"
#include "emulator/sandbox/unique_fd.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace emulator::harness {

// Its owner's thread.
class ResultFile {
 public:
  // An empty file of this name.
  static tl::expected<ResultFile, HarnessError> create(const std::string& name);

  // The file as it is, cut behind `bytes`; it is made if there is none.
  static tl::expected<ResultFile, HarnessError> take_up(const std::string& name,
                                                        std::uint64_t bytes);

  // Standard output, which stays open.
  static ResultFile standard_output();

  // Whole lines. They are the kernel's when this returns, so that a killed Hearth loses none.
  tl::expected<void, HarnessError> write(std::string_view lines);

 private:
  ResultFile(std::string name, sandbox::UniqueFd owned, int descriptor)
      : name_(std::move(name)), owned_(std::move(owned)), descriptor_(descriptor) {}

  std::string name_;
  sandbox::UniqueFd owned_;
  int descriptor_;
};

// What a file of results holds.
struct WrittenResults {
  std::uint64_t last_position = 0;  // 0: none
  std::string last_input_sha256;
  std::uint64_t bytes = 0;  // up to the end of its line
};

// Reads the results that one run wrote, in order. A last line without its end is torn, and left
// out. Fails when the file cannot be read, or holds a line that is no result: then it is another
// file.
tl::expected<WrittenResults, HarnessError> read_results(
    const ByteSource& source, const std::function<void(const ReplayResult&)>& visit);

// Reads on until the event of the last result, so that the next one is the first without a result.
// `broken` is told what stands in events' places on the way. Fails when the events are not those of
// the results.
tl::expected<void, HarnessError> skip_done(EventReader& events,
                                           const WrittenResults& done,
                                           const std::function<void(const BrokenEvent&)>& broken);

}  // namespace emulator::harness
