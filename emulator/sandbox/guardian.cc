#include "emulator/sandbox/guardian.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace emulator::sandbox {
namespace {

// What a record that is no process group begins with.
constexpr char kFolderRecord = 'F';
constexpr char kGroupRecord = 'G';

// Source: the kernel's PID_MAX_LIMIT on 64-bit machines.
constexpr std::size_t kMaxProcesses = std::size_t{4} * 1024 * 1024;

// One bit a process group. Only the guardian writes here, so only its pages exist.
std::array<std::uint64_t, kMaxProcesses / 64> guarded;

void send_group(int descriptor, pid_t group) noexcept {
  while (::send(descriptor, &group, sizeof group, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

void note(pid_t group) {
  const auto number = static_cast<std::size_t>(group < 0 ? -group : group);
  if (number == 0 || number >= kMaxProcesses) return;
  const auto bit = std::uint64_t{1} << (number % 64);
  auto& word = guarded[number / 64];
  word = group > 0 ? word | bit : word & ~bit;
}

void end_all() {
  for (std::size_t at = 0; at < guarded.size(); ++at) {
    for (auto word = guarded[at]; word != 0; word &= word - 1) {
      const auto number = at * 64 + static_cast<std::size_t>(__builtin_ctzll(word));
      ::kill(-static_cast<pid_t>(number), SIGKILL);
    }
  }
}

// A group can be removed once its last process is gone, which the kernel is about to see to.
void remove_groups(const std::filesystem::path& folder) {
  constexpr int kPatienceMs = 10;
  constexpr int kTries = 500;
  std::error_code error;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.is_directory(error)) ::rmdir(entry.path().c_str());
    }
    if (::rmdir(folder.c_str()) == 0 || errno == ENOENT) return;
    ::poll(nullptr, 0, kPatienceMs);
  }
}

// Most of all Hearth's end of the line must go, or the guardian would wait for itself.
void close_all_but(int line) {
  const auto first = static_cast<unsigned>(line) + 1;
  const bool below = line == 0 || ::syscall(SYS_close_range, 0U, first - 2, 0U) == 0;
  if (below && ::syscall(SYS_close_range, first, ~0U, 0U) == 0) return;
  // Kernels before 5.9, and containers that filter the call away.
  const auto highest = static_cast<int>(std::min(::sysconf(_SC_OPEN_MAX), 65'536L));
  for (int descriptor = 0; descriptor < highest; ++descriptor) {
    if (descriptor != line) ::close(descriptor);
  }
}

// A copy of one thread of a process with many, and of its locks; the allocator's are usable after
// fork() in glibc and musl. Nothing of Hearth's stays
// open here, and no signal that is meant for Hearth's group or session ends it first.
[[noreturn]] void guard(int line) {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  ::setsid();
  ::prctl(PR_SET_NAME, "hearth-guardian");
  close_all_but(line);
  std::vector<std::filesystem::path> folders;
  std::vector<std::filesystem::path> groups;
  std::array<char, PATH_MAX + 1> record;
  while (true) {
    const auto size = ::recv(line, record.data(), record.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;  // nobody is left at the other end
    pid_t group = 0;
    if (size == sizeof group) {
      std::memcpy(&group, record.data(), sizeof group);
      note(group);
    } else {
      auto& list = record[0] == kGroupRecord ? groups : folders;
      list.emplace_back(std::string(record.data() + 1, static_cast<std::size_t>(size) - 1));
    }
  }
  end_all();
  std::error_code ignored;
  for (const auto& folder : folders) std::filesystem::remove_all(folder, ignored);
  for (const auto& group : groups) remove_groups(group);
  ::_exit(0);
}

}  // namespace

Guardian::Guardian() {
  std::array<int, 2> ends{};
  // Records, not a stream, so that each arrives whole.
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  pid_ = ::fork();
  if (pid_ == 0) guard(theirs.get());
  if (pid_ > 0) line_ = std::move(ours);
}

Guardian::~Guardian() {
  if (pid_ <= 0) return;
  line_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Guardian::forget(pid_t group) const noexcept {
  if (line_.valid()) send_group(line_.get(), -group);
}

void Guardian::remove_at_end(const std::filesystem::path& folder) const noexcept {
  tell(kFolderRecord + folder.string());
}

void Guardian::remove_groups_at_end(const std::filesystem::path& folder) const noexcept {
  tell(kGroupRecord + folder.string());
}

void Guardian::tell(std::string record) const noexcept {
  // A record as short as a group's would be taken for one; no folder of ours has such a name.
  if (!line_.valid() || record.size() <= sizeof(pid_t) || record[1] != '/') return;
  while (::send(line_.get(), record.data(), record.size(), MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

void guard_this_group(int descriptor) noexcept {
  if (descriptor >= 0) send_group(descriptor, ::getpgrp());
}

}  // namespace emulator::sandbox
