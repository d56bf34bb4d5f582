#include "emulator/sandbox/cgroup_v1.h"

#include "emulator/sandbox/control_group.h"
#include "emulator/sandbox/kernel_clock.h"
#include "emulator/sandbox/unique_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace emulator::sandbox::cgroup_v1 {
namespace {

class Memory final : public MemoryGroup {
 public:
  explicit Memory(const std::string& folder)
      : limit_(folder, "memory.limit_in_bytes", O_WRONLY, GroupFile::Keep::closed),
        swap_limit_(folder, "memory.memsw.limit_in_bytes", O_WRONLY, GroupFile::Keep::closed),
        usage_(folder, "memory.usage_in_bytes", O_RDONLY),
        highest_(folder, "memory.max_usage_in_bytes", O_RDONLY, GroupFile::Keep::closed),
        stat_(folder, "memory.stat", O_RDONLY, GroupFile::Keep::closed),
        oom_(folder, "memory.oom_control", O_RDONLY, GroupFile::Keep::closed),
        event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  const GroupFile* missing() const {
    for (const auto* file : {&limit_, &usage_, &highest_, &stat_, &oom_}) {
      if (!file->valid()) return file;
    }
    return nullptr;
  }

  tl::expected<void, SandboxError> listen(const std::string& folder) const {
    // The kernel remembers the group, not the descriptor.
    const GroupFile oom(folder, "memory.oom_control", O_RDONLY);
    return write_group_file(folder,
                            "cgroup.event_control",
                            std::to_string(event_.get()) + " " + std::to_string(oom.descriptor()));
  }

  // Memory and swap together may never be limited to less than memory alone.
  tl::expected<void, SandboxError> set_limit(std::optional<std::uint64_t> bytes) override {
    const auto text = bytes ? std::to_string(*bytes) : std::string("-1");
    const bool rises = !bytes || (limit_bytes_ && *bytes > *limit_bytes_);
    auto set = rises ? set_swap_limit(text) : limit_.write(text);
    if (set) set = rises ? limit_.write(text) : set_swap_limit(text);
    if (set) limit_bytes_ = bytes;
    return set;
  }
  Parts parts() const override {
    GroupFile::Buffer buffer;
    const auto text = stat_.read(buffer);
    return {.file_bytes = number_after(text, "inactive_file") + number_after(text, "active_file"),
            .shared_bytes = number_after(text, "shmem")};
  }
  std::uint64_t usage() const override { return usage_.read_number(); }
  std::uint64_t highest() const override { return highest_.read_number(); }
  bool killed() const override {
    GroupFile::Buffer buffer;
    return number_after(oom_.read(buffer), "oom_kill") > 0;  // since Linux 4.13
  }
  int event_descriptor() const override { return event_.get(); }
  std::uint32_t event_mask() const override { return EPOLLIN; }
  void settle_event() const override {
    std::uint64_t events = 0;
    [[maybe_unused]] const auto length = ::read(event_.get(), &events, sizeof events);
  }

 private:
  // Not there where the kernel does not account for swap, or there is none.
  tl::expected<void, SandboxError> set_swap_limit(const std::string& text) const {
    if (!swap_limit_.valid()) return {};
    return swap_limit_.write(text);
  }

  GroupFile limit_;
  GroupFile swap_limit_;
  GroupFile usage_;
  GroupFile highest_;
  GroupFile stat_;
  GroupFile oom_;
  UniqueFd event_;
  std::optional<std::uint64_t> limit_bytes_;
};

class Cpu final : public CpuGroup {
 public:
  explicit Cpu(const std::string& folder)
      : quota_(folder, "cpu.cfs_quota_us", O_WRONLY, GroupFile::Keep::closed),
        period_(folder, "cpu.cfs_period_us", O_WRONLY, GroupFile::Keep::closed),
        stat_(folder, "cpu.stat", O_RDONLY) {}

  const GroupFile* missing() const {
    for (const auto* file : {&quota_, &period_, &stat_}) {
      if (!file->valid()) return file;
    }
    return nullptr;
  }

  // Without a quota any period is taken; with one, the share in between must be possible too.
  tl::expected<void, SandboxError> set_quota(
      std::optional<std::chrono::microseconds> quota) override {
    const auto taken = kernel_quota(quota.value_or(kMinKernelQuota), kCpuPeriod);
    if (taken.period != period_set_) {
      if (auto lifted = quota_.write("-1"); !lifted) return lifted;
      if (auto set = period_.write(std::to_string(taken.period.count())); !set) return set;
      period_set_ = taken.period;
    }
    return quota_.write(quota ? std::to_string(taken.quota.count()) : "-1");
  }
  std::chrono::nanoseconds throttled() const override {
    GroupFile::Buffer buffer;
    return std::chrono::nanoseconds(number_after(stat_.read(buffer), "throttled_time"));
  }

 private:
  GroupFile quota_;
  GroupFile period_;
  GroupFile stat_;
  std::chrono::microseconds period_set_{};
};

// The state is found by reading it; nothing tells of its change.
constexpr int kReadsBeforeDelay = 50;
constexpr int kReadsBeforeWait = 200;
constexpr int kWaitPerReadMs = 1;

class Freezer final : public FreezerGroup {
 public:
  explicit Freezer(const std::string& folder) : state_(folder, "freezer.state", O_RDWR) {}

  const GroupFile* missing() const { return state_.valid() ? nullptr : &state_; }

  tl::expected<void, SandboxError> freeze(const std::function<void()>& delayed) override {
    if (auto written = state_.write("FROZEN"); !written) return written;
    const auto deadline = kernel_now() + kFreezePatience;
    GroupFile::Buffer buffer;
    for (int reads = 0; !state_.read(buffer).starts_with("FROZEN"); ++reads) {
      if (reads == kReadsBeforeDelay) delayed();
      if (reads < kReadsBeforeWait) {
        ::sched_yield();
        continue;
      }
      if (kernel_now() > deadline) {
        [[maybe_unused]] const auto thawed = state_.write("THAWED");
        errno = ETIMEDOUT;
        return tl::unexpected(group_failure("freeze the processes", state_.path()));
      }
      ::poll(nullptr, 0, kWaitPerReadMs);
    }
    return {};
  }
  tl::expected<void, SandboxError> thaw() override { return state_.write("THAWED"); }

 private:
  GroupFile state_;
};

template <typename Control>
tl::expected<std::unique_ptr<Control>, SandboxError> opened(const std::string& folder) {
  auto control = std::make_unique<Control>(folder);
  if (const auto* file = control->missing()) {
    return tl::unexpected(group_failure("use a control group", file->path()));
  }
  return control;
}

}  // namespace

MadeControl<MemoryGroup> memory_group(const std::string& folder) {
  auto memory = opened<Memory>(folder);
  if (!memory) return tl::unexpected(memory.error());
  if (auto listening = (*memory)->listen(folder); !listening) {
    return tl::unexpected(listening.error());
  }
  return std::move(*memory);
}

MadeControl<CpuGroup> cpu_group(const std::string& folder) { return opened<Cpu>(folder); }

MadeControl<FreezerGroup> freezer_group(const std::string& folder) {
  return opened<Freezer>(folder);
}

}  // namespace emulator::sandbox::cgroup_v1
