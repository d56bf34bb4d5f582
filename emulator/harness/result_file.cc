#include "emulator/harness/result_file.h"

#include "fixtures/digest.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <variant>

namespace emulator::harness {
namespace {

constexpr mode_t kAnybodysFile = 0666;  // less the umask

tl::unexpected<HarnessError> cannot(const std::string& what, const std::string& name, int error) {
  std::array<char, 128> text{};
  return tl::unexpected(HarnessError{"the file of results " + name + " cannot be " + what + ": " +
                                         ::strerror_r(error, text.data(), text.size()),
                                     HarnessError::Kind::host});
}

}  // namespace

tl::expected<ResultFile, HarnessError> ResultFile::create(const std::string& name) {
  return take_up(name, 0);
}

tl::expected<ResultFile, HarnessError> ResultFile::take_up(const std::string& name,
                                                           std::uint64_t bytes) {
  sandbox::UniqueFd file(::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kAnybodysFile));
  if (!file.valid()) return cannot("opened", name, errno);
  // A device, or a pipe, has no length to be cut.
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0 && errno != EINVAL) {
    return cannot("cut", name, errno);
  }
  if (::lseek(file.get(), static_cast<off_t>(bytes), SEEK_SET) < 0 && errno != ESPIPE) {
    return cannot("written at its end", name, errno);
  }
  const int descriptor = file.get();
  return ResultFile(name, std::move(file), descriptor);
}

ResultFile ResultFile::standard_output() { return {"on standard output", {}, STDOUT_FILENO}; }

tl::expected<void, HarnessError> ResultFile::write(std::string_view lines) {
  while (!lines.empty()) {
    const auto written = ::write(descriptor_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return cannot("written", name_, errno);
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

tl::expected<WrittenResults, HarnessError> read_results(
    const ByteSource& source, const std::function<void(const ReplayResult&)>& visit) {
  WrittenResults written;
  LineReader lines(source, kMaxLineBytes);
  while (true) {
    const auto line = lines.next();
    if (!line) return tl::unexpected(line.error());
    if (!*line || !(*line)->ended) return written;
    const auto result = parse_result_line((*line)->text);
    // Positions only rise; what does not was not written by one run.
    if (!result || result->position <= written.last_position) {
      return tl::unexpected(HarnessError{
          "line " + std::to_string((*line)->number) +
          (result ? " goes back to an event before it" : " is no result of a replay")});
    }
    visit(*result);
    written = {.last_position = result->position,
               .last_input_sha256 = result->input_sha256,
               .bytes = (*line)->end_offset};
  }
}

tl::expected<void, HarnessError> skip_done(EventReader& events,
                                           const WrittenResults& done,
                                           const std::function<void(const BrokenEvent&)>& broken) {
  const auto refused = [](const std::string& why) {
    return tl::unexpected(HarnessError{"the events are not those of the earlier results: " + why +
                                       "; leave out --resume to begin anew"});
  };
  const auto position = std::to_string(done.last_position);
  while (done.last_position > 0) {
    auto read = events.next();
    if (std::holds_alternative<EndOfEvents>(read)) {
      return refused("there is no event " + position);
    }
    if (const auto* told = std::get_if<BrokenEvent>(&read)) {
      broken(*told);
      if (told->position == done.last_position) {
        return refused("event " + position + " is broken now");
      }
      continue;
    }
    const auto& event = std::get<Event>(read);
    if (event.position < done.last_position) continue;
    if (fixtures::sha256_hex(event.payload) != done.last_input_sha256) {
      return refused("event " + position + " (" + events.files()[event.file] + ":" +
                     std::to_string(event.line) + ") is another one");
    }
    return {};
  }
  return {};
}

}  // namespace emulator::harness
