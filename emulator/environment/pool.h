// The execution environments of all functions: which one serves, when a further one is started,
// when an idle one is retired, and when a caller is refused.
#pragma once

#include "emulator/environment/environment.h"

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
#include <vector>

namespace emulator::environment {

struct PoolLimits {
  // Invocations that may run at the same time, over all functions. Source: Lambda quotas, the
  // account's default concurrency.
  std::size_t max_concurrency = 1000;

  // Our choice: AWS does not document when it reclaims idle environments; minutes are measured.
  std::chrono::milliseconds idle_timeout{600'000};

  // How long a caller waits for an environment whose runtime has answered but not yet asked for the
  // next event, before another one is started. Our choice: on AWS the way to the caller takes
  // longer than that runtime needs, so one after the other never meets a busy environment there.
  std::chrono::milliseconds settle_grace{100};
};

struct Throttled {};

// Any thread. An environment serves one invocation at a time; the most recently used idle one is
// taken first.
class Pool {
 public:
  using Spec = std::shared_ptr<const EnvironmentSpec>;

  Pool(PoolLimits limits, World& world, std::function<std::string()> new_environment_id);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();  // stops

  // Runs the invocation on the calling thread, in an idle environment of `spec` or a new one. Where
  // as many run as may, an invocation of kind `event` waits for its turn, as the service keeps
  // throttled events in their queue; any other is refused.
  tl::expected<Served, Throttled> serve(const Spec& spec,
                                        runtime_api::NextInvocation next,
                                        const ServingTerms& terms);

  // Ends every environment; running invocations end with their processes. Later ones are refused.
  // When it returns no thread is inside the pool, no process lives, and the pool may be destroyed.
  // Not on a thread of a timer queue or the pump.
  void stop();

  // Retires an idle environment now and a busy one when its invocation has ended. False: unknown
  // id.
  bool retire(std::string_view id);
  void retire_all();

  std::vector<Snapshot> snapshots() const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Use : std::uint8_t { serving, settling, idle };

  struct Member {
    std::shared_ptr<Environment> environment;
    Spec spec;
    Use use = Use::serving;
    std::uint64_t lease = 0;
    bool retire_when_idle = false;
    TimePoint idle_since;
  };

  // The environments of one function version.
  struct Group {
    std::vector<Environment*> idle;  // the most recently used last
    std::size_t members = 0;
    std::size_t settling = 0;
    std::size_t waiting = 0;
    // Shared, because it is notified without the lock, when the group may be gone already.
    std::shared_ptr<std::condition_variable> idle_changed =
        std::make_shared<std::condition_variable>();
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

  tl::expected<Lease, Throttled> acquire(const Spec& spec, InvocationKind kind);
  void await_settling(std::unique_lock<std::mutex>& lock, Group& group);
  bool may_run() const { return stopped_ || busy_ < limits_.max_concurrency; }
  SharedEnvironment take_idle(Group& group);
  SharedEnvironment make(const Spec& spec);
  void make_room();
  void answered(const Lease& lease);
  void became_idle(Environment& environment);
  SharedEnvironment remove(Environment& environment);
  void dispose_later(SharedEnvironment environment);
  void retire_expired();
  void schedule_retirement();

  const PoolLimits limits_;
  World& world_;
  const std::function<std::string()> new_environment_id_;

  mutable std::mutex mutex_;  // guards what follows
  std::unordered_map<Environment*, Member> members_;
  std::map<Spec, Group> groups_;
  std::uint64_t last_lease_ = 0;
  std::size_t busy_ = 0;            // serving or settling
  mutable std::size_t inside_ = 0;  // threads in serve() and snapshots()
  std::size_t disposing_ = 0;       // environments that housekeeping is to destroy
  std::size_t events_waiting_ = 0;
  std::condition_variable room_;           // an event may run
  mutable std::condition_variable ended_;  // one of the counts, or retirement_, went to nothing
  std::optional<time::TimerQueue::TimerId> retirement_;
  bool stopped_ = false;
};

}  // namespace emulator::environment
