#include "emulator/sandbox/cgroup_v2.h"

#include "emulator/sandbox/kernel_clock.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace emulator::sandbox::cgroup_v2 {
namespace {

class Memory final : public MemoryGroup {
 public:
  explicit Memory(const std::string& folder)
      : max_(folder, "memory.max", O_WRONLY, GroupFile::Keep::closed),
        current_(folder, "memory.current", O_RDONLY),
        peak_(folder, "memory.peak", O_RDONLY, GroupFile::Keep::closed),  // since Linux 5.19
        stat_(folder, "memory.stat", O_RDONLY, GroupFile::Keep::closed),
        events_(folder, "memory.events", O_RDONLY) {}

  const GroupFile* missing() const {
    for (const auto* file : {&max_, &current_, &stat_, &events_}) {
      if (!file->valid()) return file;
    }
    return nullptr;
  }

  tl::expected<void, SandboxError> set_limit(std::optional<std::uint64_t> bytes) override {
    return max_.write(bytes ? std::to_string(*bytes) : "max");
  }
  Parts parts() const override {
    GroupFile::Buffer buffer;
    const auto text = stat_.read(buffer);
    return {.file_bytes = number_after(text, "inactive_file") + number_after(text, "active_file"),
            .shared_bytes = number_after(text, "shmem")};
  }
  std::uint64_t usage() const override { return current_.read_number(); }
  std::uint64_t highest() const override { return peak_.read_number(); }
  bool killed() const override {
    GroupFile::Buffer buffer;
    return number_after(events_.read(buffer), "oom_kill") > 0;
  }
  int event_descriptor() const override { return events_.descriptor(); }
  std::uint32_t event_mask() const override { return EPOLLPRI; }
  void settle_event() const override {
    GroupFile::Buffer buffer;
    events_.read(buffer);
  }

 private:
  GroupFile max_;
  GroupFile current_;
  GroupFile peak_;
  GroupFile stat_;
  GroupFile events_;
};

class Cpu final : public CpuGroup {
 public:
  explicit Cpu(const std::string& folder)
      : max_(folder, "cpu.max", O_WRONLY, GroupFile::Keep::closed),
        stat_(folder, "cpu.stat", O_RDONLY) {}

  const GroupFile* missing() const {
    if (!max_.valid()) return &max_;
    return stat_.valid() ? nullptr : &stat_;
  }

  tl::expected<void, SandboxError> set_quota(
      std::optional<std::chrono::microseconds> quota) override {
    if (!quota) return max_.write("max " + std::to_string(kCpuPeriod.count()));
    const auto taken = kernel_quota(*quota, kCpuPeriod);
    return max_.write(std::to_string(taken.quota.count()) + " " +
                      std::to_string(taken.period.count()));
  }
  std::chrono::nanoseconds throttled() const override {
    GroupFile::Buffer buffer;
    return std::chrono::microseconds(number_after(stat_.read(buffer), "throttled_usec"));
  }

 private:
  GroupFile max_;
  GroupFile stat_;
};

// Reads come first, some microseconds apart, since the kernel tells at most every 10 ms. Sleeping
// processes stand still within a few of them.
constexpr int kReadsBeforeDelay = 50;
constexpr int kReadsBeforeWait = 200;
constexpr int kWaitPerReadMs = 1;

class Freezer final : public FreezerGroup {
 public:
  explicit Freezer(const std::string& folder)
      : folder_(folder),
        freeze_(folder, "cgroup.freeze", O_WRONLY),
        events_(folder, "cgroup.events", O_RDONLY, GroupFile::Keep::closed) {}

  const GroupFile* missing() const {
    if (!freeze_.valid()) return &freeze_;
    return events_.valid() ? nullptr : &events_;
  }

  tl::expected<void, SandboxError> freeze(const std::function<void()>& delayed) override {
    if (auto written = freeze_.write("1"); !written) return written;
    const auto deadline = kernel_now() + kFreezePatience;
    const GroupFile events(folder_, "cgroup.events", O_RDONLY);
    for (int reads = 0; !frozen(events); ++reads) {
      if (reads == kReadsBeforeDelay) delayed();
      if (reads < kReadsBeforeWait) {
        ::sched_yield();
        continue;
      }
      if (kernel_now() > deadline) {
        [[maybe_unused]] const auto thawed = freeze_.write("0");
        errno = ETIMEDOUT;
        return tl::unexpected(group_failure("freeze the processes", events.path()));
      }
      pollfd wait{.fd = events.descriptor(), .events = POLLPRI, .revents = 0};
      ::poll(&wait, 1, kWaitPerReadMs);
    }
    return {};
  }
  tl::expected<void, SandboxError> thaw() override { return freeze_.write("0"); }

 private:
  static bool frozen(const GroupFile& events) {
    GroupFile::Buffer buffer;
    return number_after(events.read(buffer), "frozen") == 1;
  }

  const std::string folder_;
  GroupFile freeze_;
  GroupFile events_;
};

template <typename Control>
tl::expected<std::unique_ptr<Control>, SandboxError> opened(const std::string& folder) {
  auto control = std::make_unique<Control>(folder);
  if (const auto* file = control->missing()) {
    return tl::unexpected(group_failure("use a control group", file->path()));
  }
  return control;
}

bool lists(const std::string& folder, const char* file, std::string_view name) {
  const GroupFile listing(folder, file, O_RDONLY);
  GroupFile::Buffer buffer;
  auto text = std::string(listing.read(buffer));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return (" " + text + " ").find(" " + std::string(name) + " ") != std::string::npos;
}

// The root may hold processes and give controllers; it alone has no type. The kernel lets other
// groups do so too with some controllers, but then no group below takes processes.
bool must_be_empty(const std::string& folder) {
  return ::access((folder + "/cgroup.type").c_str(), F_OK) == 0;
}

// A process that has ended meanwhile is no failure.
tl::expected<void, SandboxError> move_all(const std::string& from, const std::string& to) {
  for (const pid_t member : group_members(from)) {
    auto moved = write_group_file(to, "cgroup.procs", std::to_string(member));
    if (!moved && moved.error().error_number != ESRCH) return moved;
  }
  return {};
}

}  // namespace

MadeControl<MemoryGroup> memory_group(const std::string& folder) {
  // Not there where the kernel has no swap.
  if (auto set = write_group_file(folder, "memory.swap.max", "0");
      !set && set.error().error_number != ENOENT) {
    return tl::unexpected(set.error());
  }
  // One of a set without the others would leave a set that nobody understands.
  if (auto set = write_group_file(folder, "memory.oom.group", "1"); !set) {
    return tl::unexpected(set.error());
  }
  return opened<Memory>(folder);
}

MadeControl<CpuGroup> cpu_group(const std::string& folder) { return opened<Cpu>(folder); }

MadeControl<FreezerGroup> freezer_group(const std::string& folder) {
  return opened<Freezer>(folder);
}

std::chrono::nanoseconds cpu_time(const GroupFile& cpu_stat) {
  GroupFile::Buffer buffer;
  return std::chrono::microseconds(number_after(cpu_stat.read(buffer), "usage_usec"));
}

Controllers::Controllers(Controllers&& other) noexcept
    : folder_(std::exchange(other.folder_, {})),
      enabled_(std::exchange(other.enabled_, {})),
      own_group_(std::exchange(other.own_group_, {})) {}

tl::expected<Controllers, SandboxError> Controllers::enable(const std::string& folder,
                                                            const std::vector<std::string>& names,
                                                            const std::string& own_group) {
  Controllers controllers(folder);
  for (const auto& name : names) {
    if (lists(folder, "cgroup.subtree_control", name)) continue;
    if (must_be_empty(folder) && !group_members(folder).empty()) {
      auto moved = controllers.move_members_to(folder + "/" + own_group);
      if (!moved) return tl::unexpected(moved.error());
    }
    auto set = write_group_file(folder, "cgroup.subtree_control", "+" + name);
    if (!set) return tl::unexpected(set.error());
    controllers.enabled_.push_back(name);
  }
  return controllers;
}

tl::expected<void, SandboxError> Controllers::move_members_to(const std::string& own_group) {
  if (::mkdir(own_group.c_str(), 0755) != 0 && errno != EEXIST) {
    return tl::unexpected(group_failure("make a control group for hearth itself", own_group));
  }
  own_group_ = own_group;
  return move_all(folder_, own_group_);
}

// In vain where another Hearth uses them in the folder by now, which is well.
Controllers::~Controllers() {
  for (const auto& name : enabled_) {
    [[maybe_unused]] const auto set =
        write_group_file(folder_, "cgroup.subtree_control", "-" + name);
  }
  if (own_group_.empty()) return;
  [[maybe_unused]] const auto moved = move_all(own_group_, folder_);
  ::rmdir(own_group_.c_str());
}

}  // namespace emulator::sandbox::cgroup_v2
