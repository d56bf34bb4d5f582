#include "emulator/environment/managed_pool.h"

#include <algorithm>
#include <utility>

namespace emulator::environment {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

ManagedPool::ManagedPool(World& world,
                         std::function<std::string()> new_environment_id,
                         milliseconds idle_timeout)
    : world_(world),
      new_environment_id_(std::move(new_environment_id)),
      idle_timeout_(idle_timeout) {}

ManagedPool::~ManagedPool() { stop(); }

void ManagedPool::keep(const Spec& spec, std::optional<ManagedScale> scale) {
  const std::lock_guard lock(mutex_);
  auto& group = group_of(spec);
  group.kept = true;
  group.scale = scale.value_or(spec->managed->scale);
  if (group.status.state != VersionStatus::State::active) {
    group.status = {.state = VersionStatus::State::pending};
  }
  replenish(spec, group.least());
  // Where the host allows no thread nothing has begun.
  settle_status(group, group.initialising.empty() ? group.failure : std::nullopt);
  scale_in(group);
  schedule_scaling_in();
}

ManagedPool::Group& ManagedPool::group_of(const Spec& spec) {
  const auto [found, fresh] = groups_.try_emplace(spec);
  if (fresh) found->second.scale = spec->managed->scale;
  return found->second;
}

VersionStatus ManagedPool::status(const Spec& spec) const {
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find(spec);
  return found == groups_.end() ? VersionStatus{} : found->second.status;
}

// A version that was ready once stays active: what it lost is made again.
void ManagedPool::settle_status(Group& group, const std::optional<Outcome>& failure) {
  using State = VersionStatus::State;
  if (!group.kept || group.status.state == State::active) return;
  if (group.ready.size() >= group.least()) {
    group.status = {.state = State::active};
  } else if (failure) {
    group.status = {.state = State::failed, .failure = failure};
  }
}

void ManagedPool::forget_if_empty(const Spec& spec) {
  const auto found = groups_.find(spec);
  if (found != groups_.end() && found->second.forgettable()) groups_.erase(found);
}

// ---- Which environment serves.

tl::expected<Served, Throttled> ManagedPool::serve(const Spec& spec,
                                                   const runtime_api::NextInvocation& next,
                                                   const ServingTerms& terms) {
  {
    const std::lock_guard lock(mutex_);
    ++inside_;
    ++group_of(spec).callers;
  }
  auto served = serve_inside(spec, next, terms);
  {
    const std::lock_guard lock(mutex_);
    --inside_;
    auto& group = groups_.at(spec);
    --group.callers;
    // Most have no more than they are to keep.
    if (group.size() > group.least()) {
      scale_in(group);
      schedule_scaling_in();
    }
    forget_if_empty(spec);
  }
  changed_.notify_all();
  return served;
}

tl::expected<Served, Throttled> ManagedPool::serve_inside(const Spec& spec,
                                                          const runtime_api::NextInvocation& next,
                                                          const ServingTerms& terms) {
  std::unique_lock lock(mutex_);
  // Stays where it is: it is not forgotten while a caller is inside.
  auto& group = groups_.at(spec);
  replenish(spec, std::max<std::size_t>(group.least(), 1));
  // Whoever comes while the first ones are made waits for one; its time begins then.
  for (;;) {
    if (stopped_) return tl::unexpected(Throttled{.reason = ThrottleReason::shutting_down});
    const auto ready = group.ready;
    const auto seen = group.size();
    if (seen == 0) {
      if (!group.failure) return tl::unexpected(Throttled{.reason = ThrottleReason::no_idle_poll});
      return Served{*group.failure, {}};
    }
    if (!ready.empty()) {
      lock.unlock();
      const auto deadline = world_.clock.monotonic_now() + spec->timeout;
      const auto wall = world_.clock.wall_now() + spec->timeout;
      auto timed = next;
      timed.deadline_ms = duration_cast<milliseconds>(wall.time_since_epoch()).count();
      const auto invocation = std::make_shared<const runtime_api::NextInvocation>(std::move(timed));
      auto served = try_ready(ready, invocation, deadline, terms);
      lock.lock();
      if (served) {
        if (*served) group.losses = 0;
        return std::move(*served);
      }
      if (stopped_) continue;
      replenish(spec, seen + 1);
    }
    if (group.ready != ready) continue;
    if (group.initialising.empty()) {
      return tl::unexpected(Throttled{.reason = ThrottleReason::no_idle_poll});
    }
    changed_.wait(lock,
                  [&] { return stopped_ || group.ready != ready || group.initialising.empty(); });
  }
}

// Nothing: all are busy.
std::optional<tl::expected<Served, Throttled>> ManagedPool::try_ready(
    const std::vector<SharedEnvironment>& ready,
    const runtime_api::SharedInvocation& invocation,
    std::chrono::steady_clock::time_point deadline,
    const ServingTerms& terms) {
  for (const auto& environment : ready) {
    auto served = environment->serve(invocation, deadline, terms);
    if (served) return std::move(*served);
    if (served.error() == ConcurrentEnvironment::Unserved::duplicate_id) {
      return tl::unexpected(Throttled{.reason = ThrottleReason::duplicate_id});
    }
  }
  return std::nullopt;
}

// ---- How many there are.

void ManagedPool::replenish(const Spec& spec, std::size_t wanted) {
  auto& group = group_of(spec);
  wanted = std::min(wanted, group.scale.max_environments);
  while (!stopped_ && group.size() < wanted) {
    auto environment = std::make_shared<ConcurrentEnvironment>(
        new_environment_id_(), spec, world_, [this, spec](ConcurrentEnvironment& one) {
          lost(spec, one);
        });
    group.initialising.push_back(environment);
    ++jobs_;
    const auto accepted =
        init_threads_.run([this, spec, environment] { initialise(spec, environment); });
    if (accepted == JobThreads::Accepted::yes) continue;
    group.initialising.pop_back();
    --jobs_;
    const std::string reason = "this host allows no further thread";
    group.failure = NeverStarted{"Sandbox.Failure", reason, reason};
    return;
  }
}

void ManagedPool::initialise(const Spec& spec, const SharedEnvironment& environment) {
  auto failure = environment->initialise();
  const std::lock_guard lock(mutex_);
  --jobs_;
  changed_.notify_all();
  const auto known = groups_.find(spec);
  auto* const group = known == groups_.end() ? nullptr : &known->second;
  // One that is not among them any more was retired meanwhile.
  const bool wanted = group != nullptr && std::erase(group->initialising, environment) > 0;
  if (wanted) group->failure = failure;
  if (failure || !wanted || stopped_) {
    dispose_later(environment);
  } else {
    group->ready.push_back(environment);
    scale_in(*group);
    schedule_scaling_in();
  }
  if (wanted) settle_status(*group, failure);
  forget_if_empty(spec);
}

void ManagedPool::lost(const Spec& spec, ConcurrentEnvironment& environment) {
  const std::lock_guard lock(mutex_);
  const auto known = groups_.find(spec);
  if (known == groups_.end()) return;
  auto& group = known->second;
  const auto found = std::find_if(group.ready.begin(), group.ready.end(), [&](const auto& one) {
    return one.get() == &environment;
  });
  if (found == group.ready.end()) return;
  auto gone = std::move(*found);
  group.ready.erase(found);
  dispose_later(std::move(gone));
  if (++group.losses <= kMaxManagedLosses) replenish(spec, group.least());
  changed_.notify_all();
  forget_if_empty(spec);
}

// Those made last go first, as they are asked last. What is above the most goes as soon as it
// idles.
void ManagedPool::scale_in(Group& group) {
  const auto long_ago = world_.service_clock.monotonic_now() - idle_timeout_;
  for (auto at = group.ready.size(); at-- > 0 && group.size() > group.least();) {
    const bool too_many = group.size() > group.scale.max_environments;
    const auto moment = too_many ? TimePoint::max() : long_ago;
    if (!group.ready[at]->retire_if_idle_since(moment)) continue;
    auto gone = std::move(group.ready[at]);
    group.ready.erase(group.ready.begin() + static_cast<std::ptrdiff_t>(at));
    dispose_later(std::move(gone));
  }
}

void ManagedPool::schedule_scaling_in() {
  if (scaling_in_ || stopped_) return;
  std::optional<TimePoint> earliest;
  for (const auto& [_, group] : groups_) {
    if (group.size() <= group.least()) continue;
    for (const auto& environment : group.ready) {
      // One that serves comes here again when it has done so.
      const auto idle = environment->idle_since();
      if (idle) earliest = std::min(earliest.value_or(*idle), *idle);
    }
  }
  if (!earliest) return;
  scaling_in_ =
      world_.service_timers.schedule(*earliest + idle_timeout_, [this] { scale_in_all(); });
}

void ManagedPool::scale_in_all() {
  const std::lock_guard lock(mutex_);
  scaling_in_.reset();
  changed_.notify_all();
  if (stopped_) return;
  for (auto& [_, group] : groups_) scale_in(group);
  std::erase_if(groups_, [](const auto& one) { return one.second.forgettable(); });
  schedule_scaling_in();
}

// Whoever finds one lost is a thread of its own, which cannot wait for itself.
void ManagedPool::dispose_later(SharedEnvironment environment) {
  ++disposing_;
  environment->interrupt();
  const auto doomed = std::make_shared<SharedEnvironment>(std::move(environment));
  const auto job = [this, doomed] {
    (*doomed)->close();
    doomed->reset();
    const std::lock_guard lock(mutex_);
    --disposing_;
    changed_.notify_all();
  };
  if (world_.shutdowns.run(job) == JobThreads::Accepted::yes) return;
  world_.housekeeping.schedule(world_.clock.monotonic_now(), job);
}

void ManagedPool::retire_version(const Spec& spec) {
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find(spec);
  if (found == groups_.end()) return;
  for (const auto& pending : found->second.initialising) pending->interrupt();
  found->second.initialising.clear();
  for (auto& environment : std::exchange(found->second.ready, {})) {
    dispose_later(std::move(environment));
  }
  found->second.failure.reset();
  found->second.kept = false;
  found->second.status = {};
  changed_.notify_all();
  forget_if_empty(spec);
}

void ManagedPool::stop() {
  std::unique_lock lock(mutex_);
  if (!std::exchange(stopped_, true)) {
    // A timer that cannot be cancelled is about to run, and is waited for below.
    if (scaling_in_ && world_.service_timers.cancel(*scaling_in_)) scaling_in_.reset();
    for (auto& [_, group] : groups_) {
      for (const auto& pending : group.initialising) pending->interrupt();
      for (auto& environment : std::exchange(group.ready, {})) {
        dispose_later(std::move(environment));
      }
    }
    changed_.notify_all();
  }
  changed_.wait(lock,
                [this] { return inside_ == 0 && jobs_ == 0 && disposing_ == 0 && !scaling_in_; });
}

void ManagedPool::await_settled() const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return jobs_ == 0 && disposing_ == 0; });
}

std::size_t ManagedPool::versions() const {
  const std::lock_guard lock(mutex_);
  return groups_.size();
}

std::vector<Snapshot> ManagedPool::snapshots() const {
  std::vector<SharedEnvironment> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [_, group] : groups_) {
      all.insert(all.end(), group.ready.begin(), group.ready.end());
      all.insert(all.end(), group.initialising.begin(), group.initialising.end());
    }
  }
  std::vector<Snapshot> snapshots;
  snapshots.reserve(all.size());
  for (const auto& environment : all) snapshots.push_back(environment->snapshot());
  return snapshots;
}

}  // namespace emulator::environment
