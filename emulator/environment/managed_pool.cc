#include "emulator/environment/managed_pool.h"

#include <algorithm>
#include <utility>

namespace emulator::environment {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

ManagedPool::ManagedPool(World& world, std::function<std::string()> new_environment_id)
    : world_(world), new_environment_id_(std::move(new_environment_id)) {}

ManagedPool::~ManagedPool() { stop(); }

void ManagedPool::keep(const Spec& spec) {
  const std::lock_guard lock(mutex_);
  replenish(spec, spec->managed->min_environments);
}

// ---- Which environment serves.

tl::expected<Served, Throttled> ManagedPool::serve(const Spec& spec,
                                                   runtime_api::NextInvocation next,
                                                   const ServingTerms& terms) {
  {
    const std::lock_guard lock(mutex_);
    ++inside_;
  }
  auto served = serve_inside(spec, std::move(next), terms);
  {
    const std::lock_guard lock(mutex_);
    --inside_;
  }
  changed_.notify_all();
  return served;
}

tl::expected<Served, Throttled> ManagedPool::serve_inside(const Spec& spec,
                                                          runtime_api::NextInvocation next,
                                                          const ServingTerms& terms) {
  const auto& managed = *spec->managed;
  std::unique_lock lock(mutex_);
  if (!stopped_) replenish(spec, std::max<std::size_t>(managed.min_environments, 1));
  // Whoever comes while the first ones are made waits for one; its time begins then.
  for (;;) {
    if (stopped_) return tl::unexpected(Throttled{.reason = ThrottleReason::shutting_down});
    auto& group = groups_[spec];
    const auto ready = group.ready;
    const auto seen = ready.size() + group.initialising.size();
    if (ready.empty() && group.initialising.empty()) {
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
        if (*served) groups_[spec].losses = 0;
        return std::move(*served);
      }
      if (stopped_) continue;
      replenish(spec, std::min(managed.max_environments, seen + 1));
    }
    auto& now = groups_[spec];
    if (now.ready != ready) continue;
    if (now.initialising.empty()) {
      return tl::unexpected(Throttled{.reason = ThrottleReason::no_idle_poll});
    }
    changed_.wait(lock, [&] {
      const auto& group_now = groups_[spec];
      return stopped_ || group_now.ready != ready || group_now.initialising.empty();
    });
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
  auto& group = groups_[spec];
  while (!stopped_ && group.ready.size() + group.initialising.size() < wanted) {
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
  auto& group = groups_[spec];
  auto& pending = group.initialising;
  const auto found = std::find(pending.begin(), pending.end(), environment);
  const bool wanted = found != pending.end() && !stopped_;
  if (found != pending.end()) pending.erase(found);
  if (failure || !wanted) {
    if (failure) group.failure = std::move(failure);
    dispose_later(environment);
  } else {
    group.failure.reset();
    group.ready.push_back(environment);
  }
  --jobs_;
  changed_.notify_all();
}

void ManagedPool::lost(const Spec& spec, ConcurrentEnvironment& environment) {
  const std::lock_guard lock(mutex_);
  auto& group = groups_[spec];
  const auto found = std::find_if(group.ready.begin(), group.ready.end(), [&](const auto& one) {
    return one.get() == &environment;
  });
  if (found == group.ready.end()) return;
  auto gone = std::move(*found);
  group.ready.erase(found);
  dispose_later(std::move(gone));
  if (++group.losses <= kMaxManagedLosses) replenish(spec, spec->managed->min_environments);
  changed_.notify_all();
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
  changed_.notify_all();
}

void ManagedPool::stop() {
  std::unique_lock lock(mutex_);
  if (!std::exchange(stopped_, true)) {
    for (auto& [_, group] : groups_) {
      for (const auto& pending : group.initialising) pending->interrupt();
      for (auto& environment : std::exchange(group.ready, {})) {
        dispose_later(std::move(environment));
      }
    }
    changed_.notify_all();
  }
  changed_.wait(lock, [this] { return inside_ == 0 && jobs_ == 0 && disposing_ == 0; });
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
  for (const auto& environment : all) snapshots.push_back(environment->snapshot());
  return snapshots;
}

}  // namespace emulator::environment
