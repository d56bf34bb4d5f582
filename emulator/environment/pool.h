// The execution environments of all functions: which one serves, when a further one is started,
// when an idle one is retired, how many are kept initialised ahead, and when a caller is refused.
#pragma once

#include "emulator/environment/concurrency.h"
#include "emulator/environment/environment.h"
#include "emulator/environment/job_threads.h"
#include "emulator/environment/managed_pool.h"
#include "emulator/environment/outcome.h"
#include "emulator/environment/token_bucket.h"
#include "emulator/environment/version_status.h"

#include <tl/expected.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace emulator::environment {

struct PoolLimits {
  ConcurrencyLimits concurrency{};

  // Our choice: AWS does not document when it reclaims idle environments; minutes are measured.
  std::chrono::milliseconds idle_timeout{600'000};

  // How long a caller waits for an environment whose runtime has answered but not yet asked for the
  // next event, before another one is started. Our choice: on AWS the way to the caller takes
  // longer than that runtime needs, so one after the other never meets a busy environment there.
  std::chrono::milliseconds settle_grace{100};
};

// A provisioned environment that is older is replaced by a new one. Our choice: AWS replaces them
// without documenting when; hours are measured.
inline constexpr std::chrono::milliseconds kProvisionedAge = std::chrono::hours{8};

// So many times in a row the processes of a provisioned environment may end while it idles; then it
// is no longer initialised again, and the state is `failed`. Our choice: a runtime that cannot stay
// alive must not keep the host busy for ever, and one that somebody killed comes back.
inline constexpr std::size_t kMaxIdleLosses = 3;

// Inits ahead that run at the same time. Our choice: enough to keep a small host's processors busy,
// few enough to leave invocations some of them; the service does thousands a minute.
inline constexpr std::size_t kMaxInitThreads = 4;

enum class ProvisionedState : std::uint8_t { in_progress, ready, failed };

// Of one version's provisioned environments. Source of the words: the public service model.
struct ProvisionedStatus {
  std::size_t requested = 0;
  std::size_t allocated = 0;  // being initialised, or initialised
  std::size_t available = 0;  // initialised, in use or not
  std::size_t in_use = 0;
  ProvisionedState state = ProvisionedState::ready;
  std::string failure;  // the error type of the init that failed
};

// Of one function's versions together, provisioned environments included.
struct FunctionEnvironments {
  std::size_t environments = 0;
  std::size_t in_use = 0;
};

// Any thread. An environment serves one invocation at a time; the most recently used idle one is
// taken first. Where the spec has tenant isolation, an environment serves the tenant of its first
// invocation for as long as it lives; each tenant's are a group of their own, as if the tenants had
// a function each. Those that idle for one tenant make way for those of another like all others, so
// no tenant is refused for the sake of one that rests. Our choice: the service keeps up to 2,500 of
// them for every 1,000 units of concurrency and throttles beyond; here concurrency bounds them.
class Pool {
 public:
  // One object per version and kind of initialisation: environments of equal, but different ones
  // are kept apart. Shared, because environments may outlive the version's configuration.
  using Spec = std::shared_ptr<const EnvironmentSpec>;

  // What may serve an invocation of one version: an idle provisioned environment, else one on
  // demand.
  struct Candidates {
    Spec on_demand;
    Spec provisioned;  // made by provisioned_variant(), or nothing
  };

  Pool(PoolLimits limits, World& world, std::function<std::string()> new_environment_id);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();  // stops

  // Runs the invocation on the calling thread, in an idle environment or a new one. Where limits
  // keep it from running now, it is refused at once, whatever its kind; whoever queues events backs
  // off and comes again. With tenant isolation the caller has seen to it that `terms` name a
  // tenant.
  tl::expected<Served, Throttled> serve(const Candidates& candidates,
                                        runtime_api::NextInvocation next,
                                        const ServingTerms& terms);
  tl::expected<Served, Throttled> serve(const Spec& on_demand,
                                        runtime_api::NextInvocation next,
                                        const ServingTerms& terms);

  // See ManagedPool. Of a version on Managed Instances; nothing: as many as its spec says.
  void keep_managed(const Spec& spec, std::optional<ManagedScale> scale = std::nullopt) {
    managed_.keep(spec, scale);
  }

  // What the function has reserved of the account's concurrency; 0 stops it, nothing takes the
  // reservation away. What runs goes on.
  void set_reserved(const std::string& function, std::optional<std::size_t> units);

  // Keeps so many environments of `spec`, which provisioned_variant() made, initialised ahead from
  // now on, on threads of its own; 0 lets them go. Their share is set aside at once. When an init
  // fails, no further one is begun until this is called again; what is ready serves. The caller has
  // checked the number against the account's concurrency.
  void provision(const Spec& spec, std::size_t environments);
  ProvisionedStatus provisioned_status(const Spec& spec) const;

  // Keeps one environment of `spec`, which snap_start_variant() made, initialised ahead and frozen
  // from now on: the version's snapshot. The next cold start takes it, and another one is made in
  // the background. A cold start that finds none makes its own. The snapshot is nobody's
  // concurrency. When an Init fails, no further one is begun until this is called again.
  // retire_version() ends it.
  void keep_snapshot(const Spec& spec);
  // Of a version that keep_snapshot() or keep_managed() was called for; `none` of others.
  VersionStatus version_status(const Spec& spec) const;

  // Ends every environment; running invocations end with their processes. Later ones are refused.
  // When it returns no thread is inside the pool, no process lives, and the pool may be destroyed.
  // Not on a thread of a timer queue or the pump.
  void stop();

  // Retires an idle environment now and a busy one when its invocation has ended. False: unknown
  // id. Provisioned ones are replaced.
  bool retire(std::string_view id);
  void retire_all();

  // All environments of a version that has changed or is gone; provisioned ones, whose spec is
  // named by itself, are not replaced.
  void retire_version(const Spec& spec);

  // Blocks until every init ahead and every disposal begun so far, and what they entail, is done.
  // Invocations are not waited for. Not on a thread of the housekeeping queue or the pump.
  void await_settled() const;

  std::vector<Snapshot> snapshots() const;  // the oldest first
  std::map<std::string, FunctionEnvironments> environments_by_function() const;
  ConcurrencyUse concurrency_use() const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Use : std::uint8_t { serving, settling, idle, initialising, snapshot };

  struct Member {
    std::shared_ptr<Environment> environment;
    Spec spec;
    std::string tenant;        // with tenant isolation, whose it is
    std::uint64_t number = 0;  // in order of making
    Use use = Use::serving;
    std::uint64_t lease = 0;
    bool retire_when_idle = false;
    TimePoint made;
    TimePoint idle_since;
    // Of provisioned ones.
    TimePoint initialised;
    bool aged = false;            // a replacement is being made
    std::size_t idle_losses = 0;  // since it last served; of snapshots too

    bool provisioned() const {
      return spec->initialization == Initialization::provisioned_concurrency;
    }
    bool snap_start() const { return spec->initialization == Initialization::snap_start; }
    // Serves nobody, and nobody waits for it.
    bool rests() const { return use == Use::idle || use == Use::snapshot; }
    bool ready() const { return use != Use::initialising && !retire_when_idle; }
  };

  // Whose environments may stand in for one another.
  struct GroupKey {
    Spec spec;
    std::string tenant;
    auto operator<=>(const GroupKey&) const = default;
  };

  // The environments of one function version, and of one tenant where they are kept apart.
  struct Group {
    std::vector<Environment*> idle;  // the most recently used last
    std::size_t members = 0;
    std::size_t busy = 0;  // serving or settling
    std::size_t settling = 0;
    std::size_t waiting = 0;
    // Shared, because it is notified without the lock, when the group may be gone already.
    std::shared_ptr<std::condition_variable> idle_changed =
        std::make_shared<std::condition_variable>();

    // Of environments that are kept ahead; with SnapStart that is one or none.
    std::size_t requested = 0;
    std::string failure;  // empty: none
    VersionStatus snapshot;
    TokenBucket requests;
  };

  // Of a group's members that are not to be retired.
  struct ProvisionedCount {
    std::size_t initialising = 0;
    std::size_t ready = 0;
  };

  using SharedEnvironment = std::shared_ptr<Environment>;

  // Counts the thread that holds it as one that may keep an environment alive.
  class Visit {
   public:
    explicit Visit(const Pool& pool);
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit();

   private:
    const Pool& pool_;
  };

  // One use of an environment, told apart from the next one.
  struct Lease {
    SharedEnvironment environment;
    std::uint64_t number;
  };

  using Acquired = tl::expected<Lease, Throttled>;
  Acquired acquire(const Candidates& candidates, const ServingTerms& terms);
  Acquired acquire_on_demand(std::unique_lock<std::mutex>& lock,
                             const GroupKey& key,
                             InvocationKind kind);
  void await_settling(std::unique_lock<std::mutex>& lock, Group& group);
  Lease lease(Member& member);
  Member& take_idle(Group& group);
  Member& make(const GroupKey& key, Use use);
  Group& group_of(const Member& member);
  void make_room();
  void answered(const Lease& lease);
  void became_idle(Environment& environment);
  void end_use(Member& member, Group& group);
  void rest(Member& member, Group& group);
  void let_go(Member& member);
  SharedEnvironment remove(Environment& environment);
  void forget_if_empty(const GroupKey& key);
  void dispose_later(SharedEnvironment environment);
  std::vector<Member*> members_where(const std::function<bool(const Member&)>& wanted);
  void retire_expired();
  void schedule_retirement();

  // In pool_provisioned.cc.
  std::optional<Acquired> acquire_provisioned(std::unique_lock<std::mutex>& lock,
                                              const Spec& spec,
                                              InvocationKind kind);
  ProvisionedCount count(const Spec& spec) const;
  void replenish(const Spec& spec);
  void replenish_all();
  void initialise_later(Member& member);
  void initialise(Environment& environment);
  void initialised(Member& member, const std::string& failure);
  void lost(Environment& environment);
  void cancel_inits(const Spec& spec, std::size_t wanted);
  void retire_surplus(const Spec& spec, std::size_t wanted);
  void set_share_aside(const std::string& function);
  bool may_age(const Member& member) const;
  void schedule_refresh();
  void refresh_aged();

  // In pool_snapshots.cc.
  Member* find_snapshot(const Spec& spec, Use use);
  Member& take_snapshot(Member& member);
  void make_missing_snapshot(const Spec& spec);
  void snapshot_initialised(Member& member, const std::optional<Outcome>& failure);
  void snapshot_lost(Member& member);

  const PoolLimits limits_;
  World& world_;
  const std::function<std::string()> new_environment_id_;

  mutable std::mutex mutex_;  // guards what follows
  Concurrency concurrency_;
  std::unordered_map<Environment*, Member> members_;
  std::map<GroupKey, Group> groups_;
  std::uint64_t last_lease_ = 0;
  std::uint64_t last_number_ = 0;
  std::size_t busy_ = 0;                   // serving or settling
  mutable std::size_t inside_ = 0;         // threads in serve(), snapshots() and await_settled()
  std::size_t disposing_ = 0;              // environments that housekeeping is to destroy
  std::size_t initialising_ = 0;           // jobs of init_threads_
  mutable std::condition_variable ended_;  // one of the counts, or a timer, went to nothing
  std::optional<time::TimerQueue::TimerId> retirement_;
  std::optional<time::TimerQueue::TimerId> refresh_;
  bool stopped_ = false;

  ManagedPool managed_;  // with a lock of its own

  JobThreads init_threads_{kMaxInitThreads};  // last: its jobs use the rest
};

}  // namespace emulator::environment
