// The execution environments of functions on Managed Instances: how many are kept ahead, which one
// serves, when a further one is made or let go, and when a caller is turned away.
#pragma once

#include "emulator/environment/concurrency.h"
#include "emulator/environment/concurrent_environment.h"
#include "emulator/environment/job_threads.h"
#include "emulator/environment/version_status.h"

#include <tl/expected.hpp>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace emulator::environment {

// Inits that run at the same time. Our choice: as for provisioned environments.
inline constexpr std::size_t kMaxManagedInitThreads = 4;

// So many environments of a version may be lost in a row without one invocation served; then no
// further one is made until an invocation comes. Our choice: a runtime that cannot stay alive must
// not keep the host busy for ever.
inline constexpr std::size_t kMaxManagedLosses = 3;

// Any thread. The environment made first is asked first, so that those made last become idle.
class ManagedPool {
 public:
  using Spec = std::shared_ptr<const EnvironmentSpec>;  // made by managed_variant()

  // An environment beyond the least that its version wants is let go when it has idled for so long.
  ManagedPool(World& world,
              std::function<std::string()> new_environment_id,
              std::chrono::milliseconds idle_timeout);
  ManagedPool(const ManagedPool&) = delete;
  ManagedPool& operator=(const ManagedPool&) = delete;
  ~ManagedPool();  // stops

  // From now on the version has at least and at most so many environments; nothing: as its spec
  // says. Begins the init of those that are missing and lets idle ones go that are too many; busy
  // ones go when they idle. Does not wait. retire_version() ends it.
  void keep(const Spec& spec, std::optional<ManagedScale> scale);

  // Active once the least environments were there at a time; failed where an init failed before
  // that, until they are there; `none` of a version that is not kept.
  VersionStatus status(const Spec& spec) const;

  // Runs the invocation on the calling thread, in the first environment with an idle poll. Without
  // one, another environment is made and waited for, up to the most that the version may have; at
  // that, the caller is turned away at once. How an init failed that a caller waited for is its
  // outcome. A version that is not kept is served too, and has none at rest.
  tl::expected<Served, Throttled> serve(const Spec& spec,
                                        const runtime_api::NextInvocation& next,
                                        const ServingTerms& terms);

  // Ends all environments of a version, and what they serve with them; it is no longer kept.
  void retire_version(const Spec& spec);

  // Ends all; later invocations are refused. When it returns no thread is inside and no process
  // lives. Not on a thread of a timer queue or the pump.
  void stop();

  // Blocks until every init and every disposal begun so far is done.
  void await_settled() const;

  std::vector<Snapshot> snapshots() const;
  // Versions that it knows of: those that are kept, have environments, or are being invoked.
  std::size_t versions() const;

 private:
  using SharedEnvironment = std::shared_ptr<ConcurrentEnvironment>;
  using TimePoint = ConcurrentEnvironment::TimePoint;

  struct Group {
    std::vector<SharedEnvironment> ready;
    std::vector<SharedEnvironment> initialising;
    std::optional<Outcome> failure;  // of the last init
    std::size_t losses = 0;
    std::size_t callers = 0;  // threads in serve()
    bool kept = false;
    VersionStatus status;
    ManagedScale scale;

    std::size_t least() const { return kept ? scale.min_environments : 0; }
    std::size_t size() const { return ready.size() + initialising.size(); }
    bool forgettable() const { return !kept && size() == 0 && callers == 0; }
  };

  // With mutex_ held.
  Group& group_of(const Spec& spec);
  void forget_if_empty(const Spec& spec);
  void replenish(const Spec& spec, std::size_t wanted);
  static void settle_status(Group& group, const std::optional<Outcome>& failure);
  void scale_in(Group& group);
  void schedule_scaling_in();
  void dispose_later(SharedEnvironment environment);

  void scale_in_all();
  void initialise(const Spec& spec, const SharedEnvironment& environment);
  void lost(const Spec& spec, ConcurrentEnvironment& environment);
  std::optional<tl::expected<Served, Throttled>> try_ready(
      const std::vector<SharedEnvironment>& ready,
      const runtime_api::SharedInvocation& invocation,
      std::chrono::steady_clock::time_point deadline,
      const ServingTerms& terms);
  tl::expected<Served, Throttled> serve_inside(const Spec& spec,
                                               const runtime_api::NextInvocation& next,
                                               const ServingTerms& terms);

  World& world_;
  const std::function<std::string()> new_environment_id_;
  const std::chrono::milliseconds idle_timeout_;

  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable changed_;
  std::map<Spec, Group> groups_;
  std::size_t inside_ = 0;     // threads in serve()
  std::size_t jobs_ = 0;       // inits
  std::size_t disposing_ = 0;  // environments that are being closed
  std::optional<time::TimerQueue::TimerId> scaling_in_;
  bool stopped_ = false;

  JobThreads init_threads_{kMaxManagedInitThreads};  // last: its jobs use the rest
};

}  // namespace emulator::environment
