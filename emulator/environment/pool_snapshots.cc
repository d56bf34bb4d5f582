// The pool's snapshots: of each version with SnapStart one environment that is initialised and
// frozen before anybody needs it.
//
// A snapshot is a member of its version's group that is neither idle nor in use. Taken, it is an
// environment on demand like any other, and a new one is made at once.
#include "emulator/environment/pool.h"

#include <utility>

namespace emulator::environment {

void Pool::keep_snapshot(const Spec& spec) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  auto& group = groups_[{spec, {}}];
  group.requested = 1;
  group.failure.clear();
  if (group.snapshot.state != VersionStatus::State::active) {
    group.snapshot = {.state = VersionStatus::State::pending};
  }
  make_missing_snapshot(spec);
}

VersionStatus Pool::version_status(const Spec& spec) const {
  if (spec->managed) return managed_.status(spec);
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find({spec, {}});
  return found == groups_.end() ? VersionStatus{} : found->second.snapshot;
}

Pool::Member* Pool::find_snapshot(const Spec& spec, Use use) {
  if (spec->initialization != Initialization::snap_start) return nullptr;
  for (auto& [_, member] : members_) {
    if (member.spec == spec && member.use == use && !member.retire_when_idle) return &member;
  }
  return nullptr;
}

Pool::Member& Pool::take_snapshot(Member& member) {
  member.use = Use::serving;
  member.idle_losses = 0;
  make_missing_snapshot(member.spec);
  return member;
}

void Pool::make_missing_snapshot(const Spec& spec) {
  const auto found = groups_.find({spec, {}});
  if (stopped_ || found == groups_.end() || found->second.requested == 0) return;
  if (!found->second.failure.empty()) return;
  if (find_snapshot(spec, Use::snapshot) || find_snapshot(spec, Use::initialising)) return;
  initialise_later(make({spec, {}}, Use::initialising));
}

void Pool::snapshot_initialised(Member& member, const std::optional<Outcome>& failure) {
  auto& group = group_of(member);
  const bool unwanted = member.retire_when_idle || stopped_ || group.requested == 0;
  member.use = Use::snapshot;
  if (!unwanted && failure) {
    group.failure = error_type(*failure);
    // A version that had one goes on without: what worked once may work for whoever waits for it.
    if (group.snapshot.state == VersionStatus::State::pending) {
      group.snapshot = {.state = VersionStatus::State::failed, .failure = failure};
    }
  } else if (!unwanted) {
    group.snapshot = {.state = VersionStatus::State::active};
    return;
  }
  let_go(member);
}

// Its processes have ended by themselves.
void Pool::snapshot_lost(Member& member) {
  if (++member.idle_losses <= kMaxIdleLosses) {
    initialise_later(member);
    return;
  }
  group_of(member).failure = error_type(Outcome{RuntimeExited{}});
  let_go(member);
}

}  // namespace emulator::environment
