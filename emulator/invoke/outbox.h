// Deliveries on their way: kept with the event's end in one transaction, tried, tried again, and
// shown when they are over.
#pragma once

#include "emulator/invoke/activity.h"
#include "emulator/invoke/destinations.h"
#include "emulator/invoke/worker_threads.h"
#include "emulator/state/store.h"
#include "emulator/time/clock.h"
#include "emulator/time/timer_queue.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::invoke {

// What events and deliveries hang on. All that is referred to must outlive them.
struct AsyncWorld {
  state::Store& store;
  const time::Clock& clock;
  time::TimerQueue& timers;
  Activity& activity;
  std::function<void(const std::string&)> tell;  // a sentence for the log: what went wrong

  // Commits. What the store refuses is told as `failure`, and goes on from memory: after a kill it
  // begins where the store has it, so that it is done at least once.
  void keep(const state::Changes& changes, const std::string& failure) const;
};

struct DeliveryError {
  enum class Kind {
    passing,    // may be gone at the next try
    permanent,  // will not
    stopping,   // Hearth stops; it stays where it is for the next start
  };
  Kind kind;
  std::string message;
};

// Sends it and says where it went. Called by one of the outbox's threads; may block.
using Deliver = std::function<tl::expected<std::string, DeliveryError>(const Delivery&)>;

// Tries before a delivery is recorded as failed, and the time between them, which doubles. Our
// choice: AWS documents that a failed delivery is counted, not how often it is tried.
inline constexpr int kMostDeliveryTries = 3;
inline constexpr std::chrono::seconds kFirstDeliveryBackOff{1};

// Deliveries that are over and can still be looked at. Our choice: both bound memory.
inline constexpr std::size_t kDeliveriesKept = 1000;
inline constexpr std::size_t kDeliveryBytesKept = std::size_t{64} << 20;

// Deliveries under way at the same time, each to another target. Our choice.
inline constexpr std::size_t kMaxDeliveryThreads = 8;

struct OutboxLimits {
  std::size_t kept = kDeliveriesKept;
  std::size_t bytes_kept = kDeliveryBytesKept;
  std::size_t threads = kMaxDeliveryThreads;  // one makes the order of all deliveries repeatable
};

// Deliveries to one target go one after the other, in order; a slow target holds up no other.
//
// Any thread. Shared, because a timer that fires while it is given up must find it whole.
class Outbox : public std::enable_shared_from_this<Outbox> {
 public:
  // Reads what the store holds; nothing is sent before start(). The error is a sentence.
  static tl::expected<std::shared_ptr<Outbox>, std::string> open(AsyncWorld world,
                                                                 Deliver deliver,
                                                                 OutboxLimits limits = {});
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;
  ~Outbox();

  void start();

  // Numbers the deliveries, and says what has to be committed so that they are kept.
  state::Changes admit(std::vector<Delivery>& deliveries);

  // Sends what was admitted and committed.
  void send(std::vector<Delivery> deliveries);

  // The latest first; of that function only, if one is named.
  std::vector<Delivery> deliveries(std::string_view function_name, std::size_t limit) const;

  // Begins no further try. What waits is in the store for the next start; returns how many are
  // lost because the store keeps nothing, without those whose try is under way. Called again after
  // stop(), when none is, it counts all that are left.
  std::size_t close();

  // Closes, and waits for the tries under way.
  void stop();

 private:
  // The deliveries to one target that wait for a thread, and whether one is under way.
  struct Lane {
    std::deque<std::unique_ptr<Delivery>> ready;
    bool busy = false;
  };

  Outbox(AsyncWorld world, Deliver deliver, OutboxLimits limits);
  tl::expected<void, std::string> load();
  std::size_t enqueue(std::unique_ptr<Delivery> delivery);
  std::unique_ptr<Delivery> take();
  void deliver_next();
  tl::expected<std::string, DeliveryError> attempt(const Delivery& delivery) const;
  void settle(std::unique_ptr<Delivery> delivery, tl::expected<std::string, DeliveryError> result);
  void retry_later(std::unique_ptr<Delivery> delivery, std::string error);
  std::size_t free_lane(const Delivery& delivery);
  void wake(std::uint64_t sequence);
  void remember(std::unique_ptr<Delivery> delivery, state::Changes& forgotten);

  const AsyncWorld world_;
  const Deliver deliver_;
  const OutboxLimits limits_;

  mutable std::mutex mutex_;                        // guards what follows
  std::map<std::string, Lane, std::less<>> lanes_;  // by target
  std::deque<std::string> ready_lanes_;             // those that are not busy and have something
  std::map<std::uint64_t, std::unique_ptr<Delivery>> waiting_;  // for their next try
  std::map<std::uint64_t, const Delivery*> under_way_;
  std::deque<std::unique_ptr<const Delivery>> over_;  // the oldest first
  std::size_t bytes_over_ = 0;
  std::size_t ready_ = 0;
  std::uint64_t last_sequence_ = 0;
  bool closed_ = false;

  WorkerThreads workers_;  // one offer for each of ready_lanes_; the first to go
};

}  // namespace emulator::invoke
