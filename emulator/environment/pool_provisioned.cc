// The pool's provisioned environments: kept initialised ahead in the number that was asked for.
//
// Everything that changes how many there are (a request, an init that ended, a process that died, a
// retirement, age) changes the members and then calls replenish() or retire_surplus(), which
// compare what there is with what was asked for.
#include "emulator/environment/pool.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace emulator::environment {
namespace {

// A process that ended where it should have waited for an invocation.
constexpr const char* kExited = "Runtime.ExitError";

}  // namespace

void Pool::provision(const Spec& spec, std::size_t environments) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  auto& group = groups_[{spec, {}}];
  group.requested = environments;
  group.failure.clear();
  // A replacement that failed or is no longer wanted is begun anew.
  for (auto* member : members_where([&](const Member& m) { return m.spec == spec; })) {
    member->aged = false;
  }
  cancel_inits(spec, environments);
  retire_surplus(spec, environments);
  replenish(spec);
  set_share_aside(spec->function_name);
  // One that cannot be cancelled is about to run, and schedules the next.
  if (refresh_ && world_.service_timers.cancel(*refresh_)) refresh_.reset();
  schedule_refresh();
  forget_if_empty({spec, {}});
}

ProvisionedStatus Pool::provisioned_status(const Spec& spec) const {
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find({spec, {}});
  if (found == groups_.end()) return {};
  const auto& group = found->second;
  const auto counted = count(spec);
  // A replacement for one that grew old is nothing that was asked for.
  ProvisionedStatus status{
      .requested = group.requested,
      .allocated = std::min(counted.initialising + counted.ready, group.requested),
      .available = std::min(counted.ready, group.requested),
      .in_use = group.busy,
      .state = ProvisionedState::ready,
      .failure = group.failure};
  if (!group.failure.empty()) {
    status.state = ProvisionedState::failed;
  } else if (status.available < group.requested) {
    status.state = ProvisionedState::in_progress;
  }
  return status;
}

// Nothing: none is free, and on demand is asked.
std::optional<Pool::Acquired> Pool::acquire_provisioned(std::unique_lock<std::mutex>& lock,
                                                        const Spec& spec,
                                                        InvocationKind kind) {
  const auto found = groups_.find({spec, {}});
  if (found == groups_.end()) return std::nullopt;
  auto& group = found->second;
  await_settling(lock, group);
  // While an old one is being replaced there are more than may be in use at once.
  if (stopped_ || group.idle.empty() || group.busy >= group.requested) {
    forget_if_empty({spec, {}});
    return std::nullopt;
  }
  if (auto admitted = concurrency_.admit_provisioned(
          spec->function_name, kind, group.requests, group.requested);
      !admitted) {
    return tl::unexpected(admitted.error());
  }
  return lease(take_idle(group));
}

Pool::ProvisionedCount Pool::count(const Spec& spec) const {
  ProvisionedCount counted;
  for (const auto& [_, member] : members_) {
    if (member.spec != spec || member.retire_when_idle) continue;
    ++(member.use == Use::initialising ? counted.initialising : counted.ready);
  }
  return counted;
}

// What is missing is initialised ahead.
void Pool::replenish(const Spec& spec) {
  const auto found = groups_.find({spec, {}});
  if (stopped_ || found == groups_.end()) return;
  const auto& group = found->second;
  if (group.requested == 0) return;
  if (spec->initialization == Initialization::snap_start) return make_missing_snapshot(spec);
  const auto counted = count(spec);
  for (auto have = counted.initialising + counted.ready; have < group.requested; ++have) {
    if (!group.failure.empty()) return;
    initialise_later(make({spec, {}}, Use::initialising));
  }
}

void Pool::replenish_all() {
  std::vector<Spec> specs;
  for (const auto& [key, group] : groups_) {
    if (group.requested > 0) specs.push_back(key.spec);
  }
  // Not in the order of addresses, which differs from run to run.
  std::sort(specs.begin(), specs.end(), [](const Spec& a, const Spec& b) {
    return std::tie(a->function_name, a->version) < std::tie(b->function_name, b->version);
  });
  for (const auto& spec : specs) replenish(spec);
}

// ---- Inits ahead.

void Pool::initialise_later(Member& member) {
  member.use = Use::initialising;
  ++initialising_;
  auto& environment = *member.environment;
  const auto accepted = init_threads_.run([this, &environment] { initialise(environment); });
  if (accepted == JobThreads::Accepted::yes) return;
  --initialising_;
  const NeverStarted never{"Sandbox.Failure", "the host allows no further thread"};
  member.snap_start() ? snapshot_initialised(member, never) : initialised(member, never.error_type);
}

// On a thread of its own. While a member is initialising nobody else takes it away.
void Pool::initialise(Environment& environment) {
  std::unique_lock lock(mutex_);
  auto& member = members_.at(&environment);
  // Once one has failed, those that have not begun are not begun.
  std::string failure = group_of(member).failure;
  std::optional<Outcome> failed;
  if (failure.empty() && !member.retire_when_idle && !stopped_) {
    lock.unlock();
    failed = environment.initialise_provisioned();
    lock.lock();
    if (!failed && environment.phase() != Phase::idle) failed = RuntimeExited{};
    if (failed) failure = error_type(*failed);
  }
  member.snap_start() ? snapshot_initialised(member, failed) : initialised(member, failure);
  if (--initialising_ == 0) ended_.notify_all();
}

void Pool::initialised(Member& member, const std::string& failure) {
  const auto spec = member.spec;
  auto& group = groups_.at({spec, {}});
  member.use = Use::idle;
  if (member.retire_when_idle || stopped_) {
    let_go(member);
  } else if (!failure.empty()) {
    group.failure = failure;
    let_go(member);
  } else {
    member.initialised = world_.service_clock.monotonic_now();
    rest(member, group);
    group.idle_changed->notify_one();
    retire_surplus(spec, group.requested);
    schedule_refresh();
  }
  set_share_aside(spec->function_name);
}

// The processes of one that idles have ended by themselves.
void Pool::lost(Environment& environment) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(&environment);
  if (found == members_.end() || stopped_) return;
  auto& member = found->second;
  if (member.use == Use::snapshot) return snapshot_lost(member);
  // Of one that is in use, whoever uses it finds out; one on demand is made anew when it is needed.
  if (!member.provisioned() || member.use != Use::idle) return;
  auto& group = group_of(member);
  group.idle.erase(std::find(group.idle.begin(), group.idle.end(), &environment));
  if (++member.idle_losses <= kMaxIdleLosses) {
    initialise_later(member);
    return;
  }
  group.failure = kExited;
  const auto spec = member.spec;
  let_go(member);
  set_share_aside(spec->function_name);
}

// ---- Fewer of them.

void Pool::cancel_inits(const Spec& spec, std::size_t wanted) {
  const auto counted = count(spec);
  auto members = members_where([&](const Member& m) {
    return m.spec == spec && m.use == Use::initialising && !m.retire_when_idle;
  });
  for (auto have = counted.initialising + counted.ready; have > wanted && !members.empty();
       --have) {
    let_go(*members.back());
    members.pop_back();
  }
}

// Those go first that have a replacement, then those that idle, then the oldest.
void Pool::retire_surplus(const Spec& spec, std::size_t wanted) {
  auto members = members_where([&](const Member& m) { return m.spec == spec && m.ready(); });
  if (members.size() <= wanted) return;
  const auto key = [](const Member* member) {
    return std::make_tuple(!member->aged, member->use != Use::idle, member->initialised);
  };
  std::stable_sort(members.begin(), members.end(), [&](const Member* a, const Member* b) {
    return key(a) < key(b);
  });
  members.resize(members.size() - wanted);
  for (auto* member : members) let_go(*member);
}

// What is asked for counts whether it is there or not, unless it will not come; and what still runs
// of more than that counts until it has ended.
void Pool::set_share_aside(const std::string& function) {
  std::size_t units = 0;
  for (const auto& [key, group] : groups_) {
    const auto& spec = key.spec;
    if (spec->function_name != function ||
        spec->initialization != Initialization::provisioned_concurrency) {
      continue;
    }
    const auto counted = count(spec);
    const auto there = std::min(counted.initialising + counted.ready, group.requested);
    units += std::max(group.failure.empty() ? group.requested : there, group.busy);
  }
  concurrency_.set_provisioned(function, units);
}

// ---- Refresh.

bool Pool::may_age(const Member& member) const {
  return member.provisioned() && member.ready() && !member.aged &&
         groups_.at({member.spec, {}}).failure.empty();
}

void Pool::schedule_refresh() {
  if (refresh_ || stopped_) return;
  auto earliest = TimePoint::max();
  for (const auto& [_, member] : members_) {
    if (may_age(member)) earliest = std::min(earliest, member.initialised);
  }
  if (earliest == TimePoint::max()) return;
  refresh_ = world_.service_timers.schedule(earliest + kProvisionedAge, [this] { refresh_aged(); });
}

// The new one is initialised first; when it is ready there is a surplus, and the old one goes.
void Pool::refresh_aged() {
  const std::lock_guard lock(mutex_);
  refresh_.reset();
  if (stopped_) {
    ended_.notify_all();
    return;
  }
  const auto now = world_.service_clock.monotonic_now();
  const auto aged = members_where([&](const Member& member) {
    return may_age(member) && now - member.initialised >= kProvisionedAge;
  });
  for (auto* member : aged) {
    member->aged = true;
    initialise_later(make({member->spec, {}}, Use::initialising));
  }
  schedule_refresh();
}

}  // namespace emulator::environment
