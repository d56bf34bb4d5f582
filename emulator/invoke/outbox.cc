#include "emulator/invoke/outbox.h"

#include "emulator/invoke/queued_event.h"
#include "emulator/invoke/stored_delivery.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

namespace emulator::invoke {
namespace {

constexpr std::string_view kDeliveries = "deliveries";
constexpr std::string_view kResults = "delivery_results";

std::string damaged(std::string_view key, std::string_view why) {
  return "the state folder's record of the delivery " + std::string(key) + " cannot be read (" +
         std::string(why) + "); restore the folder from a copy, or begin with an empty one";
}

std::chrono::seconds back_off(int tries) {
  auto delay = kFirstDeliveryBackOff;
  for (int i = 1; i < tries; ++i) delay *= 2;
  return delay;
}

}  // namespace

Outbox::Outbox(AsyncWorld world, Deliver deliver, OutboxLimits limits)
    : world_(std::move(world)), deliver_(std::move(deliver)), limits_(limits) {}

Outbox::~Outbox() { stop(); }

tl::expected<std::shared_ptr<Outbox>, std::string> Outbox::open(AsyncWorld world,
                                                                Deliver deliver,
                                                                OutboxLimits limits) {
  std::shared_ptr<Outbox> outbox(new Outbox(std::move(world), std::move(deliver), limits));
  if (auto loaded = outbox->load(); !loaded) return tl::unexpected(std::move(loaded.error()));
  return outbox;
}

// Before anyone else knows the outbox.
tl::expected<void, std::string> Outbox::load() {
  std::map<std::uint64_t, std::unique_ptr<Delivery>> found;
  std::string failure;
  const auto read_all =
      world_.store.each(kDeliveries, [&](std::string_view key, std::string_view text) {
        auto delivery = read_delivery(key, text);
        if (!delivery) {
          if (failure.empty()) failure = damaged(key, delivery.error());
          return;
        }
        last_sequence_ = std::max(last_sequence_, delivery->sequence);
        const auto sequence = delivery->sequence;
        found.emplace(sequence, std::make_unique<Delivery>(std::move(*delivery)));
      });
  if (!read_all) return tl::unexpected(read_all.error().message);
  const auto read_results =
      world_.store.each(kResults, [&](std::string_view key, std::string_view text) {
        const auto sequence = read_sequence_key(key);
        const auto at = sequence ? found.find(*sequence) : found.end();
        if (at == found.end()) return;
        if (const auto read = read_result(text, *at->second); !read && failure.empty()) {
          failure = damaged(key, read.error());
        }
      });
  if (!read_results) return tl::unexpected(read_results.error().message);
  if (!failure.empty()) return tl::unexpected(std::move(failure));
  state::Changes forgotten;
  const std::lock_guard lock(mutex_);
  for (auto& [_, delivery] : found) {
    if (delivery->state == Delivery::State::waiting) {
      world_.activity.begin();
      enqueue(std::move(delivery));
    } else {
      remember(std::move(delivery), forgotten);
    }
  }
  return {};
}

void Outbox::start() {
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
    add_threads();
  }
  arrived_.notify_all();
}

state::Changes Outbox::admit(std::vector<Delivery>& deliveries) {
  if (deliveries.empty()) return {};
  {
    const std::lock_guard lock(mutex_);
    for (auto& delivery : deliveries) delivery.sequence = ++last_sequence_;
  }
  state::Changes changes;
  if (!world_.store.durable()) return changes;
  for (const auto& delivery : deliveries) {
    changes.push_back(
        {std::string(kDeliveries), sequence_key(delivery.sequence), stored_delivery(delivery)});
  }
  return changes;
}

void Outbox::send(std::vector<Delivery> deliveries) {
  {
    const std::lock_guard lock(mutex_);
    // What comes after the close is in the store for the next start.
    if (closed_) return;
    world_.activity.begin(deliveries.size());
    for (auto& delivery : deliveries) enqueue(std::make_unique<Delivery>(std::move(delivery)));
    add_threads();
  }
  arrived_.notify_all();
}

// With the lock held.
void Outbox::enqueue(std::unique_ptr<Delivery> delivery) {
  auto& lane = lanes_[delivery->target_arn];
  if (!lane.busy && lane.ready.empty()) ready_lanes_.push_back(delivery->target_arn);
  lane.ready.push_back(std::move(delivery));
  ++ready_;
}

// With the lock held.
void Outbox::add_threads() {
  if (!started_ || closed_) return;
  while (ready_lanes_.size() > threads_.size() - under_way_.size() &&
         threads_.size() < limits_.threads) {
    try {
      threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
      // The threads that there are will come to it; without any, the next delivery tries again.
      return;
    }
  }
}

void Outbox::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [this] { return closed_ || !ready_lanes_.empty(); });
    if (closed_) return;
    const auto target = std::move(ready_lanes_.front());
    ready_lanes_.pop_front();
    auto& lane = lanes_.at(target);
    auto delivery = std::move(lane.ready.front());
    lane.ready.pop_front();
    lane.busy = true;
    --ready_;
    ++delivery->tries;
    under_way_.emplace(delivery->sequence, delivery.get());
    lock.unlock();
    auto result = attempt(*delivery);
    settle(std::move(delivery), std::move(result));
    lock.lock();
  }
}

tl::expected<std::string, DeliveryError> Outbox::attempt(const Delivery& delivery) const {
  if (auto refused = refused_target(delivery); !refused.empty()) {
    return tl::unexpected(DeliveryError{DeliveryError::Kind::permanent, std::move(refused)});
  }
  try {
    return deliver_(delivery);
  } catch (const std::exception& defect) {
    return tl::unexpected(
        DeliveryError{DeliveryError::Kind::permanent,
                      std::string("a defect of Hearth's own stopped it: ") + defect.what()});
  }
}

// With the lock held.
void Outbox::free_lane(const Delivery& delivery) {
  under_way_.erase(delivery.sequence);
  const auto lane = lanes_.find(delivery.target_arn);
  lane->second.busy = false;
  if (lane->second.ready.empty()) {
    lanes_.erase(lane);
  } else {
    ready_lanes_.push_back(delivery.target_arn);
    arrived_.notify_one();
  }
}

void Outbox::settle(std::unique_ptr<Delivery> delivery,
                    tl::expected<std::string, DeliveryError> result) {
  if (!result) {
    const auto kind = result.error().kind;
    const bool again =
        kind == DeliveryError::Kind::stopping ||
        (kind == DeliveryError::Kind::passing && delivery->tries < kMostDeliveryTries);
    if (again) return retry_later(std::move(delivery), std::move(result.error().message));
    world_.tell("the " + std::string(delivery_role_name(delivery->role)) +
                " message about the event " + delivery->request_id +
                " could not be delivered: " + result.error().message);
  }
  state::Changes changes;
  {
    const std::lock_guard lock(mutex_);
    free_lane(*delivery);
    delivery->state = result ? Delivery::State::delivered : Delivery::State::failed;
    if (result) {
      delivery->where = std::move(*result);
    } else {
      delivery->error = std::move(result.error().message);
    }
    if (world_.store.durable()) {
      changes.push_back(
          {std::string(kResults), sequence_key(delivery->sequence), stored_result(*delivery)});
    }
    remember(std::move(delivery), changes);
  }
  keep(changes);
  world_.activity.end();
}

void Outbox::retry_later(std::unique_ptr<Delivery> delivery, std::string error) {
  const auto sequence = delivery->sequence;
  const auto due = world_.clock.monotonic_now() + back_off(delivery->tries);
  {
    const std::lock_guard lock(mutex_);
    free_lane(*delivery);
    delivery->error = std::move(error);
    waiting_.emplace(sequence, std::move(delivery));
  }
  // The timer first: what waits for everything to settle may move the clock at once.
  world_.timers.schedule(due, [weak = weak_from_this(), sequence] {
    if (const auto self = weak.lock()) self->wake(sequence);
  });
  world_.activity.end();
}

void Outbox::wake(std::uint64_t sequence) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    const auto found = waiting_.find(sequence);
    if (found == waiting_.end()) return;
    world_.activity.begin();
    enqueue(std::move(found->second));
    waiting_.erase(found);
    add_threads();
  }
  arrived_.notify_one();
}

// With the lock held. What is pushed out is to be removed from the store, too.
void Outbox::remember(std::unique_ptr<Delivery> delivery, state::Changes& forgotten) {
  bytes_over_ += delivery->body.size();
  over_.push_back(std::move(delivery));
  while (over_.size() > limits_.kept || (bytes_over_ > limits_.bytes_kept && over_.size() > 1)) {
    const auto key = sequence_key(over_.front()->sequence);
    forgotten.push_back({std::string(kDeliveries), key, std::nullopt});
    forgotten.push_back({std::string(kResults), key, std::nullopt});
    bytes_over_ -= over_.front()->body.size();
    over_.pop_front();
  }
}

void Outbox::keep(const state::Changes& changes) const {
  if (changes.empty() || !world_.store.durable()) return;
  if (const auto kept = world_.store.commit(changes); !kept) {
    // After a kill it is delivered again: at least once.
    world_.tell("what became of a delivery could not be kept: " + kept.error().message);
  }
}

std::vector<Delivery> Outbox::deliveries(std::string_view function_name, std::size_t limit) const {
  std::vector<const Delivery*> found;
  const auto see = [&](const Delivery& delivery) {
    if (function_name.empty() || delivery.function_name == function_name) {
      found.push_back(&delivery);
    }
  };
  const std::lock_guard lock(mutex_);
  for (const auto& delivery : over_) see(*delivery);
  for (const auto& [_, delivery] : waiting_) see(*delivery);
  for (const auto& [_, delivery] : under_way_) see(*delivery);
  for (const auto& [_, lane] : lanes_) {
    for (const auto& delivery : lane.ready) see(*delivery);
  }
  std::sort(found.begin(), found.end(), [](const auto* one, const auto* other) {
    return one->sequence > other->sequence;
  });
  std::vector<Delivery> shown;
  for (const auto* delivery : found) {
    if (shown.size() == limit) break;
    shown.push_back(*delivery);
  }
  return shown;
}

std::size_t Outbox::close() {
  std::size_t ready = 0;
  std::size_t left = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      closed_ = true;
      ready = ready_;
    }
    left = ready_ + waiting_.size();
  }
  arrived_.notify_all();
  world_.activity.end(ready);
  return world_.store.durable() ? 0 : left;
}

void Outbox::stop() {
  close();
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    threads.swap(threads_);
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace emulator::invoke
