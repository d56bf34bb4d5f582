#include "emulator/environment/pool.h"

#include <algorithm>
#include <utility>

namespace emulator::environment {

Pool::Pool(PoolLimits limits, World& world, std::function<std::string()> new_environment_id)
    : limits_(limits), world_(world), new_environment_id_(std::move(new_environment_id)) {}

Pool::~Pool() { stop(); }

tl::expected<Served, Throttled> Pool::serve(const Spec& spec,
                                            runtime_api::NextInvocation next,
                                            const ServingTerms& terms) {
  const Visit visit(*this);
  const auto lease = acquire(spec, terms.kind);
  if (!lease) return tl::unexpected(lease.error());
  auto served = lease->environment->serve(std::move(next), terms);
  answered(*lease);
  return served;
}

Pool::Visit::Visit(const Pool& pool) : pool_(pool) {
  const std::lock_guard lock(pool_.mutex_);
  ++pool_.inside_;
}

Pool::Visit::~Visit() {
  const std::lock_guard lock(pool_.mutex_);
  if (--pool_.inside_ == 0) pool_.ended_.notify_all();
}

tl::expected<Pool::Lease, Throttled> Pool::acquire(const Spec& spec, InvocationKind kind) {
  std::unique_lock lock(mutex_);
  if (const auto found = groups_.find(spec); found != groups_.end()) {
    await_settling(lock, found->second);
  }
  if (kind == InvocationKind::event && !may_run()) {
    ++events_waiting_;
    room_.wait(lock, [this] { return may_run(); });
    --events_waiting_;
  }
  if (stopped_ || !may_run()) return tl::unexpected(Throttled{});
  const auto found = groups_.find(spec);
  const bool idles = found != groups_.end() && !found->second.idle.empty();
  auto environment = idles ? take_idle(found->second) : make(spec);
  ++busy_;
  auto& member = members_.at(environment.get());
  member.lease = ++last_lease_;
  return Lease{std::move(environment), last_lease_};
}

void Pool::await_settling(std::unique_lock<std::mutex>& lock, Group& group) {
  if (!group.idle.empty() || group.settling <= group.waiting) return;
  ++group.waiting;
  group.idle_changed->wait_for(
      lock, limits_.settle_grace, [&] { return stopped_ || !group.idle.empty(); });
  --group.waiting;
}

Pool::SharedEnvironment Pool::take_idle(Group& group) {
  auto& member = members_.at(group.idle.back());
  group.idle.pop_back();
  member.use = Use::serving;
  return member.environment;
}

Pool::SharedEnvironment Pool::make(const Spec& spec) {
  make_room();
  auto environment = std::make_shared<Environment>(
      new_environment_id_(), spec, world_, [this](Environment& idle) { became_idle(idle); });
  Member member;
  member.environment = environment;
  member.spec = spec;
  members_.emplace(environment.get(), std::move(member));
  ++groups_[spec].members;
  return environment;
}

// Concurrency bounds what runs; environments that idle for other functions make way, the one that
// idles longest first.
void Pool::make_room() {
  if (members_.size() < limits_.max_concurrency) return;
  Member* oldest = nullptr;
  for (auto& [_, member] : members_) {
    if (member.use != Use::idle) continue;
    if (oldest == nullptr || member.idle_since < oldest->idle_since) oldest = &member;
  }
  if (oldest != nullptr) dispose_later(remove(*oldest->environment));
}

void Pool::answered(const Lease& lease) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(lease.environment.get());
  // It may be idle, serving somebody else or gone by now.
  if (found == members_.end() || found->second.lease != lease.number ||
      found->second.use != Use::serving) {
    return;
  }
  found->second.use = Use::settling;
  ++groups_.at(found->second.spec).settling;
}

void Pool::became_idle(Environment& environment) {
  std::unique_lock lock(mutex_);
  const auto found = members_.find(&environment);
  if (found == members_.end()) return;
  auto& member = found->second;
  auto& group = groups_.at(member.spec);
  if (member.use == Use::settling) --group.settling;
  if (--busy_ == 0) ended_.notify_all();
  if (events_waiting_ > 0) room_.notify_one();
  if (member.retire_when_idle || stopped_) {
    member.use = Use::idle;
    dispose_later(remove(environment));
    return;
  }
  member.use = Use::idle;
  member.idle_since = world_.clock.monotonic_now();
  group.idle.push_back(&environment);
  if (!retirement_) schedule_retirement();
  const auto awaited = group.waiting > 0 ? group.idle_changed : nullptr;
  lock.unlock();
  if (awaited) awaited->notify_one();
}

Pool::SharedEnvironment Pool::remove(Environment& environment) {
  const auto found = members_.find(&environment);
  const auto group = groups_.find(found->second.spec);
  auto& idle = group->second.idle;
  idle.erase(std::remove(idle.begin(), idle.end(), &environment), idle.end());
  // A version that is no longer served keeps nothing here.
  if (--group->second.members == 0 && group->second.waiting == 0) groups_.erase(group);
  auto removed = std::move(found->second.environment);
  members_.erase(found);
  return removed;
}

// Whoever finds an environment idle may be one of its own threads, which cannot wait for itself.
void Pool::dispose_later(SharedEnvironment environment) {
  ++disposing_;
  world_.housekeeping.schedule(world_.clock.monotonic_now(),
                               [this, doomed = std::move(environment)]() mutable {
                                 doomed->kill();
                                 doomed.reset();
                                 const std::lock_guard lock(mutex_);
                                 if (--disposing_ == 0) ended_.notify_all();
                               });
}

bool Pool::retire(std::string_view id) {
  const std::lock_guard lock(mutex_);
  for (auto& [environment, member] : members_) {
    if (environment->id() != id) continue;
    if (member.use == Use::idle) {
      dispose_later(remove(*environment));
    } else {
      member.retire_when_idle = true;
    }
    return true;
  }
  return false;
}

void Pool::retire_all() {
  const std::lock_guard lock(mutex_);
  std::vector<Environment*> idle;
  for (auto& [environment, member] : members_) {
    if (member.use == Use::idle) {
      idle.push_back(environment);
    } else {
      member.retire_when_idle = true;
    }
  }
  for (auto* environment : idle) dispose_later(remove(*environment));
}

void Pool::schedule_retirement() {
  auto earliest = TimePoint::max();
  for (const auto& [_, member] : members_) {
    if (member.use == Use::idle) earliest = std::min(earliest, member.idle_since);
  }
  if (earliest == TimePoint::max()) return;
  retirement_ =
      world_.timers.schedule(earliest + limits_.idle_timeout, [this] { retire_expired(); });
}

void Pool::retire_expired() {
  const std::lock_guard lock(mutex_);
  retirement_.reset();
  if (stopped_) {
    ended_.notify_all();
    return;
  }
  const auto now = world_.clock.monotonic_now();
  std::vector<Environment*> found;
  for (const auto& [environment, member] : members_) {
    if (member.use == Use::idle && now - member.idle_since >= limits_.idle_timeout) {
      found.push_back(environment);
    }
  }
  for (auto* environment : found) dispose_later(remove(*environment));
  schedule_retirement();
}

void Pool::stop() {
  std::unique_lock lock(mutex_);
  if (!stopped_) {
    stopped_ = true;
    std::vector<Environment*> idle;
    // A retirement that cannot be cancelled is about to run, and is waited for below.
    if (retirement_ && world_.timers.cancel(*retirement_)) retirement_.reset();
    for (auto& [environment, member] : members_) {
      environment->kill();
      if (member.use == Use::idle) idle.push_back(environment);
    }
    // By the timer queue, like all others, because one of its actions may hold an environment too.
    for (auto* environment : idle) dispose_later(remove(*environment));
    for (auto& [_, group] : groups_) group.idle_changed->notify_all();
    room_.notify_all();
  }
  ended_.wait(lock,
              [this] { return busy_ == 0 && inside_ == 0 && disposing_ == 0 && !retirement_; });
}

std::vector<Snapshot> Pool::snapshots() const {
  const Visit visit(*this);
  std::vector<SharedEnvironment> environments;
  {
    const std::lock_guard lock(mutex_);
    environments.reserve(members_.size());
    for (const auto& [_, member] : members_) environments.push_back(member.environment);
  }
  std::vector<Snapshot> snapshots;
  snapshots.reserve(environments.size());
  for (const auto& environment : environments) snapshots.push_back(environment->snapshot());
  return snapshots;
}

}  // namespace emulator::environment
