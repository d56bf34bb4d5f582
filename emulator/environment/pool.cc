#include "emulator/environment/pool.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace emulator::environment {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

Pool::Pool(PoolLimits limits, World& world, std::function<std::string()> new_environment_id)
    : limits_(limits),
      world_(world),
      new_environment_id_(std::move(new_environment_id)),
      concurrency_(limits.concurrency, world.service_clock),
      managed_(world, new_environment_id_, limits.idle_timeout) {}

Pool::~Pool() { stop(); }

tl::expected<Served, Throttled> Pool::serve(const Spec& on_demand,
                                            runtime_api::NextInvocation next,
                                            const ServingTerms& terms) {
  return serve(Candidates{.on_demand = on_demand, .provisioned = nullptr}, std::move(next), terms);
}

tl::expected<Served, Throttled> Pool::serve(const Candidates& candidates,
                                            runtime_api::NextInvocation next,
                                            const ServingTerms& terms) {
  if (candidates.on_demand->managed) {
    return managed_.serve(candidates.on_demand, next, terms);
  }
  const Visit visit(*this);
  const auto lease = acquire(candidates, terms);
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

void Pool::set_reserved(const std::string& function, std::optional<std::size_t> units) {
  const std::lock_guard lock(mutex_);
  concurrency_.set_reserved(function, units);
}

// ---- Which environment serves.

Pool::Acquired Pool::acquire(const Candidates& candidates, const ServingTerms& terms) {
  const bool isolated = candidates.on_demand->tenant_isolation == TenantIsolation::per_tenant;
  std::unique_lock lock(mutex_);
  // What was initialised ahead is nobody's, so it cannot be one tenant's.
  if (candidates.provisioned && !isolated) {
    if (auto acquired = acquire_provisioned(lock, candidates.provisioned, terms.kind)) {
      return std::move(*acquired);
    }
  }
  const GroupKey key{candidates.on_demand, isolated ? terms.tenant_id : std::string()};
  return acquire_on_demand(lock, key, terms.kind);
}

Pool::Acquired Pool::acquire_on_demand(std::unique_lock<std::mutex>& lock,
                                       const GroupKey& key,
                                       InvocationKind kind) {
  const auto found = groups_.find(key);
  if (found != groups_.end()) await_settling(lock, found->second);
  const bool idles = found != groups_.end() && !found->second.idle.empty();
  if (stopped_) return tl::unexpected(Throttled{});
  const auto start = idles ? Concurrency::Start::reuse : Concurrency::Start::make;
  if (auto admitted = concurrency_.admit(key.spec->function_name, kind, start); !admitted) {
    forget_if_empty(key);
    return tl::unexpected(admitted.error());
  }
  if (idles) return lease(take_idle(found->second));
  if (auto* snapshot = find_snapshot(key.spec, Use::snapshot)) {
    return lease(take_snapshot(*snapshot));
  }
  return lease(make(key, Use::serving));
}

void Pool::await_settling(std::unique_lock<std::mutex>& lock, Group& group) {
  if (!group.idle.empty() || group.settling <= group.waiting) return;
  ++group.waiting;
  group.idle_changed->wait_for(
      lock, limits_.settle_grace, [&] { return stopped_ || !group.idle.empty(); });
  --group.waiting;
}

Pool::Lease Pool::lease(Member& member) {
  ++busy_;
  ++group_of(member).busy;
  member.lease = ++last_lease_;
  return {member.environment, member.lease};
}

Pool::Member& Pool::take_idle(Group& group) {
  auto& member = members_.at(group.idle.back());
  group.idle.pop_back();
  member.use = Use::serving;
  return member;
}

Pool::Group& Pool::group_of(const Member& member) {
  return groups_.at({member.spec, member.tenant});
}

Pool::Member& Pool::make(const GroupKey& key, Use use) {
  make_room();
  auto environment = std::make_shared<Environment>(
      new_environment_id_(),
      key.spec,
      world_,
      [this](Environment& idle) { became_idle(idle); },
      [this](Environment& dead) { lost(dead); });
  auto& member = members_[environment.get()];
  member.environment = std::move(environment);
  member.spec = key.spec;
  member.tenant = key.tenant;
  member.number = ++last_number_;
  member.use = use;
  member.made = world_.service_clock.monotonic_now();
  ++groups_[key].members;
  return member;
}

// Concurrency bounds what runs; environments that idle for other functions make way, the one that
// idles longest first.
void Pool::make_room() {
  if (members_.size() < limits_.concurrency.account) return;
  Member* oldest = nullptr;
  for (auto& [_, member] : members_) {
    if (member.use != Use::idle || member.provisioned()) continue;
    if (oldest == nullptr ||
        std::tie(member.idle_since, member.number) < std::tie(oldest->idle_since, oldest->number)) {
      oldest = &member;
    }
  }
  if (oldest != nullptr) let_go(*oldest);
}

// ---- What becomes of it then.

void Pool::answered(const Lease& lease) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(lease.environment.get());
  // It may be idle, serving somebody else or gone by now.
  if (found == members_.end() || found->second.lease != lease.number ||
      found->second.use != Use::serving) {
    return;
  }
  found->second.use = Use::settling;
  ++group_of(found->second).settling;
}

void Pool::became_idle(Environment& environment) {
  std::unique_lock lock(mutex_);
  const auto found = members_.find(&environment);
  if (found == members_.end()) return;
  auto& member = found->second;
  auto& group = group_of(member);
  end_use(member, group);
  if (member.retire_when_idle || stopped_) {
    let_go(member);
    return;
  }
  if (member.provisioned() && environment.phase() != Phase::idle) {
    initialise_later(member);
    return;
  }
  // The next cold start has a snapshot, which is as good as new; this one's folders are not.
  if (member.snap_start() && environment.phase() != Phase::idle) {
    let_go(member);
    return;
  }
  rest(member, group);
  const auto awaited = group.waiting > 0 ? group.idle_changed : nullptr;
  lock.unlock();
  if (awaited) awaited->notify_one();
}

void Pool::end_use(Member& member, Group& group) {
  if (member.use == Use::settling) --group.settling;
  member.use = Use::idle;
  --group.busy;
  if (--busy_ == 0) ended_.notify_all();
  const auto& function = member.spec->function_name;
  if (!member.provisioned()) {
    concurrency_.release(function);
    return;
  }
  concurrency_.release_provisioned(function);
  member.idle_losses = 0;
  // What was let go while it was in use had its share until now.
  if (member.retire_when_idle) set_share_aside(function);
}

void Pool::rest(Member& member, Group& group) {
  member.use = Use::idle;
  member.idle_since = world_.service_clock.monotonic_now();
  group.idle.push_back(member.environment.get());
  if (!member.provisioned() && !retirement_) schedule_retirement();
}

// ---- Retirement.

// At once where it idles; else as soon as it does.
void Pool::let_go(Member& member) {
  if (member.rests()) {
    dispose_later(remove(*member.environment));
    return;
  }
  member.retire_when_idle = true;
  // Nobody waits for this one, so it need not come to an end by itself.
  if (member.use == Use::initialising) member.environment->kill();
}

Pool::SharedEnvironment Pool::remove(Environment& environment) {
  const auto found = members_.find(&environment);
  const GroupKey key{found->second.spec, found->second.tenant};
  auto& group = groups_.at(key);
  group.idle.erase(std::remove(group.idle.begin(), group.idle.end(), &environment),
                   group.idle.end());
  --group.members;
  forget_if_empty(key);
  auto removed = std::move(found->second.environment);
  members_.erase(found);
  return removed;
}

// A version that is no longer served keeps nothing here.
void Pool::forget_if_empty(const GroupKey& key) {
  const auto found = groups_.find(key);
  if (found == groups_.end()) return;
  const auto& group = found->second;
  if (group.members == 0 && group.waiting == 0 && group.requested == 0) groups_.erase(found);
}

// Whoever finds an environment idle may be one of its own threads, which cannot wait for itself.
void Pool::dispose_later(SharedEnvironment environment) {
  ++disposing_;
  const bool slowly = environment->ends_slowly();
  // The job may be held in more than one place, but goes from all of them where it is done.
  const auto doomed = std::make_shared<SharedEnvironment>(std::move(environment));
  const auto job = [this, doomed] {
    (*doomed)->shut_down();
    doomed->reset();
    const std::lock_guard lock(mutex_);
    if (--disposing_ == 0) ended_.notify_all();
  };
  if (slowly && world_.shutdowns.run(job) == JobThreads::Accepted::yes) return;
  world_.housekeeping.schedule(world_.clock.monotonic_now(), job);
}

// In order of making, so that what is done to all is done in the same order every time.
std::vector<Pool::Member*> Pool::members_where(const std::function<bool(const Member&)>& wanted) {
  std::vector<Member*> found;
  for (auto& [_, member] : members_) {
    if (wanted(member)) found.push_back(&member);
  }
  std::sort(found.begin(), found.end(), [](const Member* a, const Member* b) {
    return a->number < b->number;
  });
  return found;
}

bool Pool::retire(std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto found =
      members_where([id](const Member& member) { return member.environment->id() == id; });
  if (found.empty()) return false;
  const auto spec = found.front()->spec;
  let_go(*found.front());
  replenish(spec);
  return true;
}

void Pool::retire_all() {
  const std::lock_guard lock(mutex_);
  for (auto* member : members_where([](const Member&) { return true; })) let_go(*member);
  replenish_all();
}

void Pool::retire_version(const Spec& spec) {
  if (spec->managed) return managed_.retire_version(spec);
  const std::lock_guard lock(mutex_);
  // Only what is kept ahead has wishes, and that has no tenants.
  const GroupKey whole{spec, {}};
  if (const auto found = groups_.find(whole); found != groups_.end()) {
    found->second.requested = 0;
    found->second.failure.clear();
    found->second.snapshot = {};
  }
  for (auto* member : members_where([&](const Member& m) { return m.spec == spec; })) {
    let_go(*member);
  }
  set_share_aside(spec->function_name);
  forget_if_empty(whole);
}

void Pool::schedule_retirement() {
  auto earliest = TimePoint::max();
  for (const auto& [_, member] : members_) {
    if (member.use == Use::idle && !member.provisioned()) {
      earliest = std::min(earliest, member.idle_since);
    }
  }
  if (earliest == TimePoint::max()) return;
  retirement_ =
      world_.service_timers.schedule(earliest + limits_.idle_timeout, [this] { retire_expired(); });
}

void Pool::retire_expired() {
  const std::lock_guard lock(mutex_);
  retirement_.reset();
  if (stopped_) {
    ended_.notify_all();
    return;
  }
  const auto now = world_.service_clock.monotonic_now();
  auto expired = members_where([&](const Member& member) {
    return member.use == Use::idle && !member.provisioned() &&
           now - member.idle_since >= limits_.idle_timeout;
  });
  std::stable_sort(expired.begin(), expired.end(), [](const Member* a, const Member* b) {
    return a->idle_since < b->idle_since;
  });
  for (auto* member : expired) let_go(*member);
  schedule_retirement();
}

void Pool::stop() {
  managed_.stop();
  std::unique_lock lock(mutex_);
  if (!stopped_) {
    stopped_ = true;
    // A timer that cannot be cancelled is about to run, and is waited for below.
    for (auto* timer : {&retirement_, &refresh_}) {
      if (*timer && world_.service_timers.cancel(**timer)) timer->reset();
    }
    for (auto* member : members_where([](const Member&) { return true; })) {
      member->environment->stop();
      // By the timer queue, like all others, because one of its actions may hold an environment
      // too.
      let_go(*member);
    }
    for (auto& [_, group] : groups_) group.idle_changed->notify_all();
  }
  ended_.wait(lock, [this] {
    return busy_ == 0 && inside_ == 0 && disposing_ == 0 && initialising_ == 0 && !retirement_ &&
           !refresh_;
  });
}

// ---- What others see.

void Pool::await_settled() const {
  managed_.await_settled();
  const Visit visit(*this);
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return disposing_ == 0 && initialising_ == 0; });
}

std::vector<Snapshot> Pool::snapshots() const {
  const Visit visit(*this);
  struct Seen {
    std::uint64_t number;
    SharedEnvironment environment;
    std::string tenant;
    milliseconds age;
    milliseconds since_last_use;
  };
  std::vector<Seen> seen;
  {
    const std::lock_guard lock(mutex_);
    const auto now = world_.service_clock.monotonic_now();
    seen.reserve(members_.size());
    for (const auto& [_, member] : members_) {
      const auto idle = member.use == Use::idle ? now - member.idle_since : TimePoint::duration{};
      seen.push_back({member.number,
                      member.environment,
                      member.tenant,
                      duration_cast<milliseconds>(now - member.made),
                      duration_cast<milliseconds>(idle)});
    }
  }
  std::sort(
      seen.begin(), seen.end(), [](const Seen& a, const Seen& b) { return a.number < b.number; });
  std::vector<Snapshot> snapshots;
  snapshots.reserve(seen.size());
  for (auto& [_, environment, tenant, age, since_last_use] : seen) {
    snapshots.push_back(environment->snapshot());
    snapshots.back().tenant_id = std::move(tenant);
    snapshots.back().age = age;
    snapshots.back().since_last_use = since_last_use;
  }
  for (auto& managed : managed_.snapshots()) snapshots.push_back(std::move(managed));
  return snapshots;
}

std::map<std::string, FunctionEnvironments> Pool::environments_by_function() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, FunctionEnvironments> found;
  for (const auto& [key, group] : groups_) {
    auto& function = found[key.spec->function_name];
    function.environments += group.members;
    function.in_use += group.busy;
  }
  return found;
}

ConcurrencyUse Pool::concurrency_use() const {
  const std::lock_guard lock(mutex_);
  return concurrency_.use();
}

}  // namespace emulator::environment
