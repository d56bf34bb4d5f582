#include "emulator/invoke/outbox.h"

#include "emulator/invoke/numbered_documents.h"
#include "emulator/invoke/stored_delivery.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace emulator::invoke {
namespace {

constexpr NumberedTables kTables{
    .noun = "delivery", .came = "deliveries", .since = "delivery_results"};

std::chrono::seconds back_off(int tries) {
  auto delay = kFirstDeliveryBackOff;
  for (int i = 1; i < tries; ++i) delay *= 2;
  return delay;
}

}  // namespace

void AsyncWorld::keep(const state::Changes& changes, const std::string& failure) const {
  if (changes.empty() || !store.durable()) return;
  const auto kept = store.commit(changes);
  if (!kept) tell(failure + ": " + kept.error().message);
}

Outbox::Outbox(AsyncWorld world, Deliver deliver, OutboxLimits limits)
    : world_(std::move(world)),
      deliver_(std::move(deliver)),
      limits_(limits),
      workers_(limits.threads, [this] { deliver_next(); }) {}

Outbox::~Outbox() { stop(); }

tl::expected<std::shared_ptr<Outbox>, std::string> Outbox::open(AsyncWorld world,
                                                                Deliver deliver,
                                                                OutboxLimits limits) {
  std::shared_ptr<Outbox> outbox(new Outbox(std::move(world), std::move(deliver), limits));
  if (auto loaded = outbox->load(); !loaded) return tl::unexpected(std::move(loaded.error()));
  return outbox;
}

// Before anyone else knows the outbox, so without its lock.
tl::expected<void, std::string> Outbox::load() {
  using Seen = tl::expected<void, std::string>;
  std::map<std::uint64_t, std::unique_ptr<Delivery>> deliveries;
  const auto see_delivery = [&](std::uint64_t sequence, std::string_view text) -> Seen {
    auto delivery = read_delivery(text);
    if (!delivery) return tl::unexpected(std::move(delivery.error()));
    delivery->sequence = sequence;
    deliveries.emplace_hint(
        deliveries.end(), sequence, std::make_unique<Delivery>(std::move(*delivery)));
    return {};
  };
  const auto see_result = [&](std::uint64_t sequence, std::string_view text) {
    return read_result(text, *deliveries.at(sequence));
  };
  auto found = read_numbered(world_.store, kTables, see_delivery, see_result);
  if (!found) return tl::unexpected(std::move(found.error()));
  last_sequence_ = found->last_sequence;
  auto forgotten = std::move(found->orphans);
  for (auto& [_, delivery] : deliveries) {
    if (delivery->state == Delivery::State::waiting) {
      enqueue(std::move(delivery));
    } else {
      remember(std::move(delivery), forgotten);
    }
  }
  world_.keep(forgotten, "deliveries that are no longer shown could not be removed");
  world_.activity.begin(ready_);
  workers_.offer(ready_lanes_.size());
  return {};
}

void Outbox::start() { workers_.start(); }

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
        {std::string(kTables.came), sequence_key(delivery.sequence), stored_delivery(delivery)});
  }
  return changes;
}

void Outbox::send(std::vector<Delivery> deliveries) {
  std::size_t lanes = 0;
  {
    const std::lock_guard lock(mutex_);
    // What comes after the close stays, and nothing waits for it.
    if (!closed_) world_.activity.begin(deliveries.size());
    for (auto& delivery : deliveries) {
      lanes += enqueue(std::make_unique<Delivery>(std::move(delivery)));
    }
  }
  workers_.offer(lanes);
}

// With the lock held. Returns how many lanes are to be offered for it: one or none.
std::size_t Outbox::enqueue(std::unique_ptr<Delivery> delivery) {
  auto& lane = lanes_[delivery->target_arn];
  const bool taken_up = lane.busy || !lane.ready.empty();
  if (!taken_up) ready_lanes_.push_back(delivery->target_arn);
  lane.ready.push_back(std::move(delivery));
  ++ready_;
  return taken_up ? 0 : 1;
}

std::unique_ptr<Delivery> Outbox::take() {
  const std::lock_guard lock(mutex_);
  if (closed_) return nullptr;
  auto& lane = lanes_.at(ready_lanes_.front());
  ready_lanes_.pop_front();
  auto delivery = std::move(lane.ready.front());
  lane.ready.pop_front();
  lane.busy = true;
  --ready_;
  ++delivery->tries;
  under_way_.emplace(delivery->sequence, delivery.get());
  return delivery;
}

void Outbox::deliver_next() {
  auto delivery = take();
  if (!delivery) return;
  auto result = attempt(*delivery);
  settle(std::move(delivery), std::move(result));
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

// With the lock held. Returns how many lanes are to be offered for it: one or none.
std::size_t Outbox::free_lane(const Delivery& delivery) {
  under_way_.erase(delivery.sequence);
  const auto lane = lanes_.find(delivery.target_arn);
  lane->second.busy = false;
  if (lane->second.ready.empty()) {
    lanes_.erase(lane);
    return 0;
  }
  ready_lanes_.push_back(delivery.target_arn);
  return 1;
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
  std::size_t lanes = 0;
  {
    const std::lock_guard lock(mutex_);
    lanes = free_lane(*delivery);
    delivery->state = result ? Delivery::State::delivered : Delivery::State::failed;
    if (result) {
      delivery->where = std::move(*result);
    } else {
      delivery->error = std::move(result.error().message);
    }
    if (world_.store.durable()) {
      changes.push_back(
          {std::string(kTables.since), sequence_key(delivery->sequence), stored_result(*delivery)});
    }
    remember(std::move(delivery), changes);
  }
  workers_.offer(lanes);
  // After a kill it is delivered again: at least once.
  world_.keep(changes, "what became of a delivery could not be kept");
  world_.activity.end();
}

void Outbox::retry_later(std::unique_ptr<Delivery> delivery, std::string error) {
  const auto sequence = delivery->sequence;
  const auto due = world_.clock.monotonic_now() + back_off(delivery->tries);
  std::size_t lanes = 0;
  {
    const std::lock_guard lock(mutex_);
    lanes = free_lane(*delivery);
    delivery->error = std::move(error);
    waiting_.emplace(sequence, std::move(delivery));
  }
  workers_.offer(lanes);
  // The timer first: what waits for everything to settle may move the clock at once.
  world_.timers.schedule(due, [weak = weak_from_this(), sequence] {
    if (const auto self = weak.lock()) self->wake(sequence);
  });
  world_.activity.end();
}

void Outbox::wake(std::uint64_t sequence) {
  std::size_t lanes = 0;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    const auto found = waiting_.find(sequence);
    if (found == waiting_.end()) return;
    world_.activity.begin();
    lanes = enqueue(std::move(found->second));
    waiting_.erase(found);
  }
  workers_.offer(lanes);
}

// With the lock held. What is pushed out is to be removed from the store, too.
void Outbox::remember(std::unique_ptr<Delivery> delivery, state::Changes& forgotten) {
  bytes_over_ += delivery->body.size();
  over_.push_back(std::move(delivery));
  while (over_.size() > limits_.kept || (bytes_over_ > limits_.bytes_kept && over_.size() > 1)) {
    forget(over_.front()->sequence, kTables, forgotten);
    bytes_over_ -= over_.front()->body.size();
    over_.pop_front();
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
  std::size_t given_up = 0;
  std::size_t left = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(closed_, true)) given_up = ready_;
    left = ready_ + waiting_.size();
  }
  workers_.close();
  world_.activity.end(given_up);
  return world_.store.durable() ? 0 : left;
}

void Outbox::stop() {
  close();
  workers_.stop();
}

}  // namespace emulator::invoke
