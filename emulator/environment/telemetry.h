// What one launch of an environment tells the extensions that subscribed to its telemetry.
//
// Made only where a launch has extensions; without it nothing of an invocation costs more. It is
// told of everything from the launch's beginning, keeps that while subscriptions are open, and
// replays it to each new subscriber.
#pragma once

#include "emulator/environment/log_format.h"
#include "emulator/environment/log_stream.h"
#include "emulator/environment/telemetry_delivery.h"
#include "emulator/environment/telemetry_event.h"
#include "emulator/time/clock.h"
#include "emulator/time/timer_queue.h"
#include "runtime_api/telemetry_channel.h"
#include "runtime_api/telemetry_routes.h"

#include <tl/expected.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emulator::environment {

// One for each extension that an environment may have. Source: developer guide, quotas.
inline constexpr std::size_t kMaxSubscriptions = 10;

// Printed lines that are kept for subscribers still to come; platform events are few and all kept.
// Our choice: what a chatty init prints, at the size of the largest batch.
inline constexpr std::size_t kMaxReplayBytes = std::size_t{1} << 20;

// Any thread; none of its calls waits for a subscriber but subscribe(), by TCP, and flush().
class Telemetry {
 public:
  using TimePoint = time::TimerQueue::TimePoint;

  // Takes what arises here, a subscription or a loss, for the function's log. On any thread, with
  // no lock held.
  using Log = std::function<void(const TelemetryRecord& record)>;

  // `clock`, `timers` and whatever `connect` and `log` use must outlive it. `function_format` is
  // how the function's lines are told.
  Telemetry(const time::Clock& clock,
            time::TimerQueue& timers,
            runtime_api::Connect connect,
            LogFormat function_format,
            Log log);
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;
  ~Telemetry();  // ends the deliveries, whatever is pending

  // What the routes ask; `extension_name` says who has an identifier. Must not outlive this.
  runtime_api::SubscriptionDesk desk(
      std::function<std::optional<std::string>(const std::string& identifier)> extension_name);

  // A second subscription of one extension is taken only if it is the same, and then changes
  // nothing. All subscriptions of an environment are of one API. Success is told as an event.
  tl::expected<void, runtime_api::SubscriptionRefused> subscribe(
      const std::string& extension, const runtime_api::Subscription& subscription);

  // Whether anybody has to be told anything. Cheap.
  bool has_subscribers() const { return subscriber_count_.load(std::memory_order_acquire) != 0; }

  // Whether Init is under way.
  bool open() const;
  // At the end of Init: nobody subscribes any more, and nothing is kept.
  void close_subscriptions();

  // Tells it to all who want it, as of now.
  void record(TelemetryRecord record);

  // For the log stream: tells what processes print. Must not outlive this.
  LineTap line_tap();

  // While the processes stand still they take nothing: no time counts against them.
  void pause();
  void resume();

  // At shutdown: from here on nothing waits for a batch to be full.
  void hurry();

  // The same, and blocks until all subscribers, or only those of the extensions that `awaited` is
  // true for, have everything, or the deadline has passed. False: somebody has not.
  bool flush(TimePoint deadline,
             const std::function<bool(const std::string& extension)>& awaited = {});

  // Of all subscribers together.
  DeliveryCounts counts() const;

  // What subscribers never had, those told of it not counted: of each that lacks something.
  struct Untaken {
    std::string extension;
    std::uint64_t events = 0;
  };
  std::vector<Untaken> untaken() const;

 private:
  struct Loss {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
  };
  struct Subscriber {
    std::string extension;
    std::unique_ptr<TelemetryDelivery> delivery;
  };
  using Refusal = tl::unexpected<runtime_api::SubscriptionRefused>;

  tl::expected<bool, runtime_api::SubscriptionRefused> reserve(
      const std::string& extension, const runtime_api::Subscription& subscription);
  tl::expected<std::unique_ptr<TelemetryDelivery>, runtime_api::SubscriptionRefused> connected(
      const runtime_api::Subscription& subscription);
  void replay(TelemetryDelivery& delivery,
              const std::vector<SharedEvent>& events,
              const std::array<Loss, 3>& lost) const;
  std::size_t keep(const SharedEvent& event);
  static void give(TelemetryDelivery& delivery, const SharedEvent& event);
  template <typename Action>
  void for_each_delivery(const Action& action) const;

  const time::Clock& clock_;
  time::TimerQueue& timers_;
  const runtime_api::Connect connect_;
  const LogFormat function_format_;
  const Log log_;

  // Written in order and never taken away, so whoever has read the count may use that many without
  // the lock: telling an event costs no more of it.
  std::array<Subscriber, kMaxSubscriptions> subscribers_;
  std::atomic<std::size_t> subscriber_count_{0};
  std::atomic<bool> open_{true};

  mutable std::mutex mutex_;  // guards what follows, and the writing of the above
  std::vector<std::pair<std::string, runtime_api::Subscription>> taken_;
  std::vector<SharedEvent> kept_;
  std::size_t kept_line_bytes_ = 0;
  std::array<Loss, 3> not_kept_;  // by category
};

}  // namespace emulator::environment
