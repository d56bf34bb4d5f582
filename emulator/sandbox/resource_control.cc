#include "emulator/sandbox/resource_control.h"

#include "emulator/sandbox/cgroup_v1.h"
#include "emulator/sandbox/cgroup_v2.h"
#include "emulator/sandbox/control_group.h"
#include "emulator/sandbox/control_parts.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <list>
#include <map>
#include <mutex>
#include <utility>

namespace emulator::sandbox {
namespace {

using Version = CgroupPlace::Version;
using Outcome = tl::expected<void, SandboxError>;

// A hierarchy in which this Hearth makes groups, with its parent group.
class Hierarchy {
 public:
  // `controllers` are those to be made available, where that must be asked for.
  static tl::expected<Hierarchy, SandboxError> open(const CgroupPlace& place,
                                                    const std::vector<std::string>& controllers,
                                                    const std::string& label) {
    sweep_groups(place.folder);
    if (place.version == Version::v1) {
      auto parent = ControlGroup::make(place.folder + "/" + label);
      if (!parent) return tl::unexpected(parent.error());
      return Hierarchy(place, std::nullopt, std::move(*parent), std::nullopt);
    }
    auto enabled = cgroup_v2::Controllers::enable(place.folder, controllers, label + ".own");
    if (!enabled) return tl::unexpected(enabled.error());
    auto parent = ControlGroup::make(place.folder + "/" + label);
    if (!parent) return tl::unexpected(parent.error());
    auto below = cgroup_v2::Controllers::enable(parent->folder(), controllers, label + ".own");
    if (!below) return tl::unexpected(below.error());
    return Hierarchy(place, std::move(*enabled), std::move(*parent), std::move(*below));
  }

  const CgroupPlace& place() const { return place_; }
  const std::string& parent_folder() const { return parent_.folder(); }

 private:
  Hierarchy(CgroupPlace place,
            std::optional<cgroup_v2::Controllers> enabled,
            ControlGroup parent,
            std::optional<cgroup_v2::Controllers> enabled_below)
      : place_(std::move(place)),
        enabled_(std::move(enabled)),
        parent_(std::move(parent)),
        enabled_below_(std::move(enabled_below)) {}

  CgroupPlace place_;
  // Each goes after what it made possible.
  std::optional<cgroup_v2::Controllers> enabled_;
  ControlGroup parent_;
  std::optional<cgroup_v2::Controllers> enabled_below_;
};

SandboxError no_place(const std::string& control) {
  return {.kind = SandboxError::Kind::system,
          .operation = "finding control groups",
          .error_number = ENOENT,
          .message = "the plan asks for " + control +
                     " by control groups, which this host does not offer here; hearth doctor "
                     "says what it offers"};
}

SandboxError no_members() {
  return {.kind = SandboxError::Kind::system,
          .operation = "limiting processes",
          .error_number = EINVAL,
          .message = "limits without control groups need to know the processes they are for"};
}

struct ControlWish {
  const char* name;        // of the controller on the unified hierarchy
  const char* controller;  // that must be made available there; nullptr: none
  std::optional<Version> version;
  const std::optional<CgroupPlace>* place;
};

template <typename Means>
std::optional<Version> version_of(Means means) {
  if (means == Means::cgroup_v1) return Version::v1;
  if (means == Means::cgroup_v2) return Version::v2;
  return std::nullopt;
}

// The groups of one control, its members' way into them, and the parts. In the order in which they
// are needed: parts go first.
struct Composition {
  std::vector<ControlGroup> groups;
  std::vector<UniqueFd> doors;
  std::vector<int> membership;
  GroupFile cpu_stat;  // of the unified hierarchy, if there is one
  std::unique_ptr<StopSwitch> stop;
  std::unique_ptr<CpuMeter> meter;
  std::unique_ptr<FreezerGroup> freezer;
  std::unique_ptr<CpuPart> cpu;
  std::unique_ptr<MemoryPart> memory;
};

// Kept open no longer than somebody joins: each costs a descriptor for each hierarchy.
Outcome open_doors(Composition& parts) {
  if (!parts.doors.empty()) return {};
  for (const auto& group : parts.groups) {
    const auto procs = group.folder() + "/cgroup.procs";
    UniqueFd door(::open(procs.c_str(), O_WRONLY | O_CLOEXEC));
    if (!door.valid()) return tl::unexpected(group_failure("open a control group", procs));
    parts.membership.push_back(door.get());
    parts.doors.push_back(std::move(door));
  }
  return {};
}

class ComposedControl final : public ResourceControl {
 public:
  explicit ComposedControl(Composition parts) : parts_(std::move(parts)) {}
  const std::vector<int>& membership() const override { return parts_.membership; }
  void close_membership() override {
    parts_.membership.clear();
    parts_.doors.clear();
  }
  Outcome open_membership() override { return open_doors(parts_); }

  Outcome set_cpu_quota(std::optional<std::chrono::microseconds> quota) override {
    return parts_.cpu ? parts_.cpu->set_quota(quota) : Outcome{};
  }

  Outcome freeze() override {
    const std::lock_guard lock(freezing_);
    if (!parts_.freezer) return tl::unexpected(no_place("freezing"));
    auto frozen = parts_.freezer->freeze([this] {
      if (parts_.cpu) parts_.cpu->lift();
    });
    if (parts_.cpu) parts_.cpu->restore();
    if (!frozen) {
      if (parts_.cpu) parts_.cpu->resume();
      return frozen;
    }
    if (parts_.cpu) parts_.cpu->pause();
    if (parts_.memory) parts_.memory->pause();
    return {};
  }

  Outcome thaw() override {
    const std::lock_guard lock(freezing_);
    if (!parts_.freezer) return {};
    if (parts_.memory) parts_.memory->resume();
    if (parts_.cpu) parts_.cpu->resume();
    return parts_.freezer->thaw();
  }

  MemoryState memory() override { return parts_.memory ? parts_.memory->state() : MemoryState{}; }

  std::chrono::nanoseconds throttled() override {
    return parts_.cpu ? parts_.cpu->throttled() : std::chrono::nanoseconds{};
  }

  std::chrono::nanoseconds cpu_time() override {
    if (parts_.cpu_stat.valid()) return cgroup_v2::cpu_time(parts_.cpu_stat);
    if (!parts_.meter) return {};
    const std::lock_guard lock(metering_);
    parts_.meter->find_processes();
    return parts_.meter->read();
  }

 private:
  std::mutex freezing_;
  std::mutex metering_;
  Composition parts_;
};

}  // namespace

class ResourceController::State {
 public:
  State(const IsolationPlan& plan, const CgroupPlaces& places, std::string label)
      : plan_(plan), places_(places), label_(std::move(label)) {
    if (auto opened = open_hierarchies(); !opened) failure_ = opened.error();
    if (plan_.memory != MemoryMeans::none) memory_thread_.emplace();
    if (plan_.cpu == CpuMeans::stop_and_continue) cpu_thread_.emplace();
  }

  tl::expected<std::unique_ptr<ResourceControl>, SandboxError> make(
      const ResourceRequest& request) {
    if (failure_) return tl::unexpected(*failure_);
    Composition parts;
    for (const auto step : {&State::make_groups,
                            &State::limit_processes,
                            &State::add_freezer,
                            &State::add_cpu,
                            &State::add_memory}) {
      if (auto done = (this->*step)(request, parts); !done) return tl::unexpected(done.error());
    }
    return std::make_unique<ComposedControl>(std::move(parts));
  }

  std::vector<std::string> parent_folders() const {
    std::vector<std::string> folders;
    for (const auto& hierarchy : hierarchies_) folders.push_back(hierarchy.parent_folder());
    return folders;
  }

 private:
  std::vector<ControlWish> wishes() const {
    return {{"the memory limit", "memory", version_of(plan_.memory), &places_.memory},
            {"the CPU quota", "cpu", version_of(plan_.cpu), &places_.cpu},
            {"freezing", nullptr, version_of(plan_.freeze), &places_.freezer},
            {"the number of processes", "pids", version_of(plan_.process_count), &places_.pids}};
  }

  Outcome open_hierarchies() {
    std::vector<std::pair<CgroupPlace, std::vector<std::string>>> wanted;
    for (const auto& wish : wishes()) {
      if (!wish.version) continue;
      if (!*wish.place || (*wish.place)->version != *wish.version) {
        return tl::unexpected(no_place(wish.name));
      }
      auto found = std::find_if(wanted.begin(), wanted.end(), [&wish](const auto& entry) {
        return entry.first == **wish.place;
      });
      if (found == wanted.end()) {
        wanted.emplace_back(**wish.place, std::vector<std::string>{});
        found = std::prev(wanted.end());
      }
      if (wish.controller != nullptr) found->second.emplace_back(wish.controller);
    }
    for (const auto& [place, controllers] : wanted) {
      auto hierarchy = Hierarchy::open(place, controllers, label_);
      if (!hierarchy) return tl::unexpected(hierarchy.error());
      hierarchies_.push_back(std::move(*hierarchy));
    }
    return {};
  }

  Outcome make_groups(const ResourceRequest&, Composition& parts) {
    const auto name = "/" + std::to_string(++made_);
    for (const auto& hierarchy : hierarchies_) {
      auto group = ControlGroup::make(hierarchy.parent_folder() + name);
      if (!group) return tl::unexpected(group.error());
      parts.groups.push_back(std::move(*group));
      const auto& folder = parts.groups.back().folder();
      if (hierarchy.place().version == Version::v2) {
        parts.cpu_stat = GroupFile(folder, "cpu.stat", O_RDONLY, GroupFile::Keep::closed);
      }
    }
    return open_doors(parts);
  }

  // The group of this control in the hierarchy at `place`.
  const std::string& folder_of(const CgroupPlace& place, const Composition& parts) const {
    std::size_t at = 0;
    for (const auto& hierarchy : hierarchies_) {
      if (hierarchy.place() == place) break;
      ++at;
    }
    return parts.groups.at(at).folder();
  }

  Outcome limit_processes(const ResourceRequest& request, Composition& parts) {
    if (!version_of(plan_.process_count) || !request.processes) return {};
    return write_group_file(
        folder_of(*places_.pids, parts), "pids.max", std::to_string(*request.processes));
  }

  Outcome add_freezer(const ResourceRequest& request, Composition& parts) {
    const bool signals =
        plan_.freeze == FreezeMeans::stop_and_continue || plan_.cpu == CpuMeans::stop_and_continue;
    if (signals) {
      if (request.members == nullptr) return tl::unexpected(no_members());
      parts.stop = std::make_unique<StopSwitch>(*request.members);
    }
    if (plan_.freeze == FreezeMeans::stop_and_continue) {
      parts.freezer = std::make_unique<StoppingFreezer>(*parts.stop);
      return {};
    }
    const auto version = version_of(plan_.freeze);
    if (!version) return {};
    const auto& folder = folder_of(*places_.freezer, parts);
    auto freezer = *version == Version::v1 ? cgroup_v1::freezer_group(folder)
                                           : cgroup_v2::freezer_group(folder);
    if (!freezer) return tl::unexpected(freezer.error());
    parts.freezer = std::move(*freezer);
    return {};
  }

  Outcome add_cpu(const ResourceRequest& request, Composition& parts) {
    if (request.members != nullptr) parts.meter = std::make_unique<CpuMeter>(*request.members);
    if (plan_.cpu == CpuMeans::stop_and_continue) {
      if (request.members == nullptr) return tl::unexpected(no_members());
      parts.cpu = std::make_unique<ScheduledCpu>(*cpu_thread_, *request.members, *parts.stop);
    } else if (const auto version = version_of(plan_.cpu)) {
      const auto& folder = folder_of(*places_.cpu, parts);
      auto group =
          *version == Version::v1 ? cgroup_v1::cpu_group(folder) : cgroup_v2::cpu_group(folder);
      if (!group) return tl::unexpected(group.error());
      parts.cpu = std::make_unique<GroupCpu>(std::move(*group));
    }
    return parts.cpu ? parts.cpu->set_quota(request.cpu_quota) : Outcome{};
  }

  Outcome add_memory(const ResourceRequest& request, Composition& parts) {
    if (plan_.memory == MemoryMeans::watcher) {
      if (request.members == nullptr) return tl::unexpected(no_members());
      parts.memory = std::make_unique<WatchedMemory>(request, *memory_thread_);
      return {};
    }
    const auto version = version_of(plan_.memory);
    if (!version) return {};
    const auto& folder = folder_of(*places_.memory, parts);
    auto group =
        *version == Version::v1 ? cgroup_v1::memory_group(folder) : cgroup_v2::memory_group(folder);
    if (!group) return tl::unexpected(group.error());
    auto memory = GroupMemory::make(std::move(*group), request, *memory_thread_);
    if (!memory) return tl::unexpected(memory.error());
    parts.memory = std::move(*memory);
    return {};
  }

  const IsolationPlan plan_;
  const CgroupPlaces places_;
  const std::string label_;
  std::list<Hierarchy> hierarchies_;
  std::optional<SandboxError> failure_;
  std::optional<WatchThread> memory_thread_;
  std::optional<WatchThread> cpu_thread_;
  std::atomic<std::uint64_t> made_ = 0;
};

ResourceController::ResourceController(const IsolationPlan& plan,
                                       const CgroupPlaces& places,
                                       std::string label)
    : state_(std::make_unique<State>(plan, places, std::move(label))) {}

ResourceController::~ResourceController() = default;

tl::expected<std::unique_ptr<ResourceControl>, SandboxError> ResourceController::make(
    const ResourceRequest& request) {
  return state_->make(request);
}

std::vector<std::string> ResourceController::parent_folders() const {
  return state_->parent_folders();
}

}  // namespace emulator::sandbox
