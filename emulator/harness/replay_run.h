// Sends the events of files through a function: so many at a time, at a pace, in order for each
// key.
//
// A number of threads take turns: the one whose turn it is reads the next event, waits until it is
// due and passes the turn on before it runs the event. So nothing is read ahead, and reading costs
// no thread of its own. What limits memory: one event for each thread, what waits for its key
// (KeyOrder) and what waits to be told in order (ResultOrder).
#pragma once

#include "emulator/environment/invocation_report.h"
#include "emulator/harness/event_reader.h"
#include "emulator/harness/json_pointer.h"
#include "emulator/harness/key_order.h"
#include "emulator/harness/pace.h"
#include "emulator/harness/result_order.h"
#include "emulator/invoke/invocation.h"
#include "emulator/time/clock.h"
#include "emulator/time/timer_queue.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace emulator::harness {

enum class KeepEvents : std::uint8_t { no, yes };

struct ReplayTerms {
  std::string function_name;
  std::optional<std::string> tenant_id{};  // every event's
  std::size_t concurrency = 1;
  Pace pace;
  std::optional<JsonPointer> order_key;
  KeepEvents keep_events = KeepEvents::no;
  environment::Profile profile = environment::Profile::aws;
};

// What a run is given of the world; the references must outlive it.
struct ReplayWorld {
  const time::Clock& clock;
  time::TimerQueue& timers;
  invoke::Invoke invoke;
  std::function<std::string()> new_request_id;  // any thread
  // What stood in an event's place; one call at a time.
  std::function<void(const BrokenEvent&)> broken;
  ResultOrder::Give results;
};

class ReplayRun {
 public:
  // `events` must outlive the run, and nobody else reads of it meanwhile.
  ReplayRun(ReplayTerms terms, ReplayWorld world, EventReader& events);
  ReplayRun(const ReplayRun&) = delete;
  ReplayRun& operator=(const ReplayRun&) = delete;
  ~ReplayRun() = default;

  // Runs all events and returns when every result was given, or after stop(). Once, on its owner's
  // thread. An exception, which only a defect of Hearth's own throws, reaches the caller.
  void run();

  // Begins no further event. What fails from now on is no result, for who stops a run stops its
  // functions too. Any thread.
  void stop();

  // Whether the run ended before its events did. After run().
  bool stopped() const;

 private:
  void work();
  std::optional<Task> next_task();
  std::optional<Task> read_task();
  void await_due(const Event& event);
  ReplayResult run_event(Event& event);
  bool is_stopped() const;

  const ReplayTerms terms_;
  const ReplayWorld world_;
  EventReader& events_;
  ResultOrder results_;

  // Of the thread whose turn it is.
  Schedule schedule_;
  std::optional<std::chrono::steady_clock::time_point> started_;
  std::uint64_t next_number_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable turn_;
  std::condition_variable due_;
  KeyOrder keys_;
  bool reading_ = false;  // it is somebody's turn
  bool ended_ = false;    // there are no more events
  bool stopped_ = false;
};

}  // namespace emulator::harness
