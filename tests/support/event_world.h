// A queue of asynchronous events with an outbox, in a world whose clock stands still: what a
// function answers is scripted, and what was run and delivered is recorded.
#pragma once

#include "emulator/invoke/async_queue.h"
#include "emulator/time/virtual_time.h"

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace tests {

using emulator::invoke::InvocationRequest;
using emulator::invoke::InvocationResult;
using emulator::invoke::Refusal;
using Attempted = tl::expected<InvocationResult, Refusal>;

inline Attempted responds(std::string body) {
  InvocationResult result;
  result.outcome = emulator::environment::Responded{std::move(body), ""};
  return result;
}

inline Attempted fails(std::string message = "oops") {
  InvocationResult result;
  result.outcome = emulator::environment::FunctionError{
      "Oops", R"({"errorMessage":")" + std::move(message) + R"("})"};
  return result;
}

inline Attempted refuses(Refusal::Kind kind) {
  return tl::unexpected(Refusal{.kind = kind, .message = "scripted"});
}

// Any thread.
class ScriptedFunctions {
 public:
  struct Seen {
    std::string function;
    std::string request_id;
    std::string payload;
    int attempt = 0;
    std::chrono::seconds at{};  // since the start
    bool operator==(const Seen&) const = default;
  };

  // The answers of the next attempts of that function; when there is none left, it responds.
  void answer(const std::string& function, std::vector<Attempted> answers) {
    const std::lock_guard lock(mutex_);
    auto& queue = answers_[function];
    queue.insert(queue.end(), answers.begin(), answers.end());
  }

  Attempted run(const InvocationRequest& request, int attempt, std::chrono::seconds at) {
    const std::lock_guard lock(mutex_);
    seen_.push_back({request.function_name, request.request_id, request.payload, attempt, at});
    auto& queue = answers_[request.function_name];
    if (queue.empty()) return responds("\"fine\"");
    auto answer = std::move(queue.front());
    queue.pop_front();
    return answer;
  }

  std::vector<Seen> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::deque<Attempted>> answers_;
  std::vector<Seen> seen_;
};

// One thread, and the queue's own.
class EventWorld {
 public:
  using Deliver = emulator::invoke::Deliver;
  using Delivery = emulator::invoke::Delivery;
  static constexpr std::chrono::sys_days kStart{std::chrono::year(2026) / 1 / 13};

  struct Limits {
    emulator::invoke::QueueLimits queue{.threads = 1};
    emulator::invoke::OutboxLimits outbox{.threads = 1};
  };

  // Whether what the store has is run at once, or once begin() is called.
  enum class Begin { now, later };

  explicit EventWorld(emulator::state::Store& store) : EventWorld(store, Limits()) {}
  EventWorld(emulator::state::Store& store, const Limits& limits, Begin when = Begin::now)
      : store_(store), limits_(limits) {
    open();
    if (when == Begin::now) begin();
  }
  ~EventWorld() { stop(); }
  EventWorld(const EventWorld&) = delete;
  EventWorld& operator=(const EventWorld&) = delete;

  // As a start after a kill: what the objects knew is gone, what the store has is read.
  void restart() {
    stop();
    open();
    begin();
  }

  void open() {
    using namespace emulator::invoke;
    const AsyncWorld world{.store = store_,
                           .clock = time.clock(),
                           .timers = time.timers(),
                           .activity = activity,
                           .tell = [this](const std::string& what) {
                             const std::lock_guard lock(mutex_);
                             told_.push_back(what);
                           }};
    outbox = must(Outbox::open(
        world, [this](const Delivery& delivery) { return deliver(delivery); }, limits_.outbox));
    queue = must(AsyncQueue::open(
        world,
        *outbox,
        [this](InvocationRequest request, int attempt) {
          return functions.run(request, attempt, since_start());
        },
        [this](const std::string& function, const std::optional<std::string>&) {
          return terms_of(function);
        },
        limits_.queue));
  }

  void begin() {
    outbox->start();
    queue->start();
  }

  void stop() {
    queue->stop();
    outbox->stop();
    queue.reset();
    outbox.reset();
  }

  // Runs what is due on the way, each with its consequences before the next.
  void advance(std::chrono::seconds by) {
    settle();
    const auto moved = time.advance(by, [this] { settle(); });
    if (!moved) throw std::runtime_error(moved.error().message);
  }
  void settle() { queue->await_settled(); }

  std::chrono::seconds since_start() const {
    return std::chrono::floor<std::chrono::seconds>(time.clock().wall_now() - kStart);
  }

  tl::expected<void, Refusal> accept(const std::string& function,
                                     const std::string& request_id,
                                     const std::string& payload = "{}") {
    InvocationRequest request;
    request.function_name = function;
    request.request_id = request_id;
    request.payload = payload;
    return queue->accept(std::move(request));
  }

  // What holds for a function; all exist, with the service's defaults, until told otherwise.
  void set_terms(const std::string& function, std::optional<emulator::invoke::Terms> terms) {
    const std::lock_guard lock(mutex_);
    terms_[function] = std::move(terms);
  }
  static emulator::invoke::Terms default_terms(const std::string& function) {
    return {.function_arn = "arn:aws:lambda:us-east-1:012345678901:function:" + function};
  }

  // What answers deliveries; without one, all arrive.
  void set_deliver(Deliver deliver) {
    const std::lock_guard lock(mutex_);
    deliver_ = std::move(deliver);
  }

  std::vector<Delivery> delivered() const {
    const std::lock_guard lock(mutex_);
    return delivered_;
  }
  std::vector<std::string> told() const {
    const std::lock_guard lock(mutex_);
    return told_;
  }

  emulator::time::VirtualTime time{kStart};
  emulator::invoke::Activity activity;
  ScriptedFunctions functions;
  std::shared_ptr<emulator::invoke::Outbox> outbox;
  std::shared_ptr<emulator::invoke::AsyncQueue> queue;

 private:
  template <typename T>
  static T must(tl::expected<T, std::string> opened) {
    if (!opened) throw std::runtime_error(opened.error());
    return std::move(*opened);
  }

  std::optional<emulator::invoke::Terms> terms_of(const std::string& function) const {
    const std::lock_guard lock(mutex_);
    const auto found = terms_.find(function);
    return found == terms_.end() ? default_terms(function) : found->second;
  }

  tl::expected<std::string, emulator::invoke::DeliveryError> deliver(const Delivery& delivery) {
    Deliver answer;
    {
      const std::lock_guard lock(mutex_);
      answer = deliver_;
    }
    auto result = answer ? answer(delivery)
                         : tl::expected<std::string, emulator::invoke::DeliveryError>("here");
    if (result) {
      const std::lock_guard lock(mutex_);
      delivered_.push_back(delivery);
    }
    return result;
  }

  emulator::state::Store& store_;
  const Limits limits_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, std::optional<emulator::invoke::Terms>> terms_;
  Deliver deliver_;
  std::vector<Delivery> delivered_;
  std::vector<std::string> told_;
};

}  // namespace tests
