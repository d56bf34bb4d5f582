#include "emulator/sandbox/control_group.h"

#include "emulator/sandbox/kernel_clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

namespace emulator::sandbox {
namespace {

// A member that is beyond its last instruction is no longer listed, nor has it left: nothing tells
// when it does.
constexpr int kEndingPauseMs = 1;
constexpr std::size_t kAwaitedMembers = 64;

// Waits until one of the listed members has ended.
void await_members(const std::string& folder) {
  std::vector<UniqueFd> ends;
  std::vector<pollfd> waits;
  for (const pid_t member : group_members(folder)) {
    if (ends.size() == kAwaitedMembers) break;
    UniqueFd end(static_cast<int>(::syscall(SYS_pidfd_open, member, 0U)));
    if (!end.valid()) continue;
    waits.push_back({.fd = end.get(), .events = POLLIN, .revents = 0});
    ends.push_back(std::move(end));
  }
  const bool listed = !waits.empty();
  constexpr int kMembersPauseMs = 50;
  ::poll(waits.data(), waits.size(), listed ? kMembersPauseMs : kEndingPauseMs);
  // Those whose end is announced may still be on their way out of the group.
  if (listed) ::poll(nullptr, 0, kEndingPauseMs);
}

void remove_group(const std::string& folder) {
  const auto deadline = kernel_now() + kRemovalPatience;
  while (::rmdir(folder.c_str()) != 0 && errno == EBUSY && kernel_now() < deadline) {
    await_members(folder);
  }
}

// PID of "hearth-PID"; nothing for other names.
std::optional<pid_t> owner_of(std::string_view name) {
  constexpr std::string_view kPrefix = "hearth-";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  pid_t owner = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), owner);
  // "hearth-PID.N" is a further launcher's, and "….own" Hearth's own place beside its groups.
  const std::string_view rest(end, static_cast<std::size_t>(name.data() + name.size() - end));
  if (error != std::errc{} || owner <= 0 || (!rest.empty() && rest.front() != '.'))
    return std::nullopt;
  return owner;
}

bool is_gone(pid_t process) { return ::kill(process, 0) != 0 && errno == ESRCH; }

std::vector<std::string> folders_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (at->is_directory(ignored)) names.push_back(at->path().filename().string());
  }
  return names;
}

}  // namespace

SandboxError group_failure(const char* operation, const std::string& path) {
  const int error = errno;
  std::string message = std::string("cannot ") + operation + " (" + path +
                        "): " + std::generic_category().message(error);
  if (error == EACCES || error == EPERM || error == EROFS) {
    message += "; run hearth as root or in a delegated scope (hearth doctor says how)";
  }
  return {.kind = SandboxError::Kind::system,
          .operation = operation,
          .error_number = error,
          .message = std::move(message)};
}

GroupFile::GroupFile(const std::string& folder, const char* name, int flags, Keep keep)
    : path_(folder + "/" + name), flags_(flags) {
  auto descriptor = opened();
  valid_ = descriptor.valid();
  if (keep == Keep::open) descriptor_ = std::move(descriptor);
}

UniqueFd GroupFile::opened() const { return UniqueFd(::open(path_.c_str(), flags_ | O_CLOEXEC)); }

std::string_view GroupFile::read(Buffer& buffer) const {
  const auto length = on_descriptor(
      [&](int descriptor) { return ::pread(descriptor, buffer.data(), buffer.size(), 0); });
  return length <= 0 ? std::string_view{}
                     : std::string_view(buffer.data(), static_cast<std::size_t>(length));
}

std::uint64_t GroupFile::read_number() const {
  std::array<char, 32> buffer{};
  const auto length = on_descriptor(
      [&](int descriptor) { return ::pread(descriptor, buffer.data(), buffer.size(), 0); });
  std::uint64_t number = 0;
  if (length > 0) std::from_chars(buffer.data(), buffer.data() + length, number);
  return number;
}

tl::expected<void, SandboxError> GroupFile::write(std::string_view text) const {
  return on_descriptor([&](int descriptor) -> tl::expected<void, SandboxError> {
    while (::pwrite(descriptor, text.data(), text.size(), 0) < 0) {
      if (errno != EINTR) return tl::unexpected(group_failure("set a control group", path_));
    }
    return {};
  });
}

std::uint64_t number_after(std::string_view text, std::string_view key) {
  for (auto at = text.find(key); at != text.npos; at = text.find(key, at + 1)) {
    const auto begin = at + key.size();
    if ((at != 0 && text[at - 1] != '\n') || begin >= text.size() || text[begin] != ' ') continue;
    std::uint64_t number = 0;
    std::from_chars(text.data() + begin + 1, text.data() + text.size(), number);
    return number;
  }
  return 0;
}

tl::expected<void, SandboxError> write_group_file(const std::string& folder,
                                                  const char* name,
                                                  std::string_view text) {
  const GroupFile file(folder, name, O_WRONLY | O_TRUNC);
  if (!file.valid()) return tl::unexpected(group_failure("set a control group", file.path()));
  return file.write(text);
}

std::vector<pid_t> group_members(const std::string& folder) {
  const GroupFile file(folder, "cgroup.procs", O_RDONLY);
  GroupFile::Buffer buffer;
  auto text = file.read(buffer);
  std::vector<pid_t> members;
  while (!text.empty()) {
    pid_t member = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), member);
    // A 0 is a process that this process's namespace does not show.
    if (error == std::errc{} && member > 0) members.push_back(member);
    const auto line_end = text.find('\n');
    if (line_end == text.npos) break;
    text.remove_prefix(line_end + 1);
  }
  return members;
}

tl::expected<ControlGroup, SandboxError> ControlGroup::make(std::string folder) {
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
    return tl::unexpected(group_failure("make a control group", folder));
  }
  return ControlGroup(std::move(folder));
}

ControlGroup::~ControlGroup() {
  if (!folder_.empty()) remove_group(folder_);
}

void sweep_groups(const std::string& folder) {
  for (const auto& name : folders_in(folder)) {
    const auto owner = owner_of(name);
    if (!owner || !is_gone(*owner)) continue;
    const auto left = folder + "/" + name;
    for (const auto& child : folders_in(left)) ::rmdir((left + "/" + child).c_str());
    ::rmdir(left.c_str());
  }
}

}  // namespace emulator::sandbox
