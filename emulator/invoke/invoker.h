// The one door to running a function: finds the version that a caller names, and runs the
// invocation in one of its environments, on the caller's thread or, for an event, on one of the
// invoker's.
#pragma once

#include "emulator/environment/pool.h"
#include "emulator/invoke/invocation.h"

#include <tl/expected.hpp>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace emulator::invoke {

// What can be invoked under a name.
struct Target {
  environment::Pool::Spec spec;
  std::string arn;  // without a qualifier
};

// Events that were accepted and wait for a thread. Our choice: the service's queue has no
// documented length; this one bounds memory, and a full one refuses.
inline constexpr std::size_t kMaxQueuedEvents = 100'000;

// Threads that run events at the same time. Our choice.
inline constexpr std::size_t kMaxEventThreads = 64;

// Any thread; the targets are fixed after construction.
class Invoker {
 public:
  // `new_trace_id` makes the X-Ray header of a call that carries none; when it is empty, such a
  // call stays without one.
  Invoker(environment::Pool& pool,
          std::map<std::string, Target> targets,
          std::function<std::string()> new_trace_id);
  Invoker(const Invoker&) = delete;
  Invoker& operator=(const Invoker&) = delete;
  ~Invoker();

  // See invoke::Invoke.
  tl::expected<InvocationResult, Refusal> invoke(InvocationRequest request);

  // See invoke::Resolve.
  tl::expected<void, Refusal> resolve(const std::string& function_name,
                                      const std::optional<std::string>& qualifier) const;

  // See invoke::InvokeAsync. The event is run once.
  tl::expected<void, Refusal> invoke_async(InvocationRequest request);

  // Refuses events from now on, and returns how many accepted ones were not begun.
  std::size_t close();

  // Closes, and waits for the events that run.
  void stop();

 private:
  tl::expected<const Target*, Refusal> find(const std::string& function_name,
                                            const std::optional<std::string>& qualifier) const;
  void serve_events();

  environment::Pool& pool_;
  const std::map<std::string, Target> targets_;
  const std::function<std::string()> new_trace_id_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable arrived_;
  std::deque<InvocationRequest> events_;
  std::vector<std::thread> event_threads_;
  std::size_t idle_event_threads_ = 0;
  bool stopped_ = false;
};

}  // namespace emulator::invoke
