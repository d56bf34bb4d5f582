#include "emulator/environment/telemetry.h"

#include <algorithm>

namespace emulator::environment {

using runtime_api::EventCategory;
using runtime_api::Subscription;
using runtime_api::SubscriptionRefused;

Telemetry::Telemetry(const time::Clock& clock,
                     time::TimerQueue& timers,
                     runtime_api::Connect connect,
                     LogFormat function_format,
                     Log log)
    : clock_(clock),
      timers_(timers),
      connect_(std::move(connect)),
      function_format_(function_format),
      log_(std::move(log)) {}

Telemetry::~Telemetry() = default;

template <typename Action>
void Telemetry::for_each_delivery(const Action& action) const {
  const auto count = subscriber_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) action(*subscribers_[i].delivery);
}

// ---- Subscriptions.

runtime_api::SubscriptionDesk Telemetry::desk(
    std::function<std::optional<std::string>(const std::string&)> extension_name) {
  return {.extension_name = std::move(extension_name),
          .open = [this] { return open(); },
          .subscribe =
              [this](const std::string& extension, const Subscription& subscription) {
                return subscribe(extension, subscription);
              }};
}

bool Telemetry::open() const { return open_.load(std::memory_order_acquire); }

// Whether there is something left to do: false for what was subscribed before.
tl::expected<bool, SubscriptionRefused> Telemetry::reserve(const std::string& extension,
                                                           const Subscription& subscription) {
  using Reason = SubscriptionRefused::Reason;
  const std::lock_guard lock(mutex_);
  if (!open()) {
    return Refusal(SubscriptionRefused{Reason::closed, "subscriptions end with Init"});
  }
  for (const auto& [name, other] : taken_) {
    if (name == extension && other == subscription) return false;
    if (other.api != subscription.api) {
      return Refusal(SubscriptionRefused{
          Reason::conflict,
          "this environment has subscribed with the other API already; use one of the Telemetry "
          "API and the Logs API for all its extensions"});
    }
    if (name == extension) {
      return Refusal(
          SubscriptionRefused{Reason::conflict,
                              "extension " + extension +
                                  " has another subscription already; ask for everything in one"});
    }
  }
  if (taken_.size() == kMaxSubscriptions) {
    return Refusal(SubscriptionRefused{Reason::conflict,
                                       "this environment has 10 subscriptions, which is the most"});
  }
  taken_.emplace_back(extension, subscription);
  return true;
}

tl::expected<std::unique_ptr<TelemetryDelivery>, SubscriptionRefused> Telemetry::connected(
    const Subscription& subscription) {
  using Reason = SubscriptionRefused::Reason;
  const auto channel =
      std::make_shared<runtime_api::TelemetryChannel>(subscription.destination, connect_);
  if (auto opened = channel->open(); !opened) {
    return Refusal(SubscriptionRefused{Reason::unreachable, std::move(opened.error())});
  }
  auto delivery = TelemetryDelivery::start(
      subscription,
      clock_,
      timers_,
      // Shared because functions are copied; nobody else keeps it.
      [channel](std::span<const std::string> events, const runtime_api::Interruption& stop) {
        return channel->deliver(events, stop);
      },
      log_ ? [log = log_](const LogsDropped& loss) { log(loss); } : TelemetryDelivery::TellLoss());
  if (!delivery) return Refusal(SubscriptionRefused{Reason::failed, std::move(delivery.error())});
  return std::move(*delivery);
}

tl::expected<void, SubscriptionRefused> Telemetry::subscribe(const std::string& extension,
                                                             const Subscription& subscription) {
  const auto is_new = reserve(extension, subscription);
  if (!is_new) return tl::unexpected(is_new.error());
  if (!*is_new) return {};
  auto delivery = connected(subscription);
  std::vector<SharedEvent> events;
  std::array<Loss, 3> lost{};
  TelemetryDelivery* subscriber = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (!delivery) {
      std::erase_if(taken_, [&](const auto& entry) { return entry.first == extension; });
      return tl::unexpected(std::move(delivery.error()));
    }
    events = kept_;
    lost = not_kept_;
    const auto index = subscriber_count_.load(std::memory_order_relaxed);
    subscriber = delivery->get();
    subscribers_[index] = {extension, std::move(*delivery)};
    subscriber_count_.store(index + 1, std::memory_order_release);
  }
  // What is recorded meanwhile may come before it; the API promises no order, only that it comes.
  replay(*subscriber, events, lost);
  const Subscribed subscribed{subscription.api, extension, subscription.categories};
  record(subscribed);
  if (log_) log_(subscribed);
  return {};
}

void Telemetry::replay(TelemetryDelivery& delivery,
                       const std::vector<SharedEvent>& events,
                       const std::array<Loss, 3>& lost) const {
  const auto& subscription = delivery.subscription();
  for (const auto& event : events) {
    if (subscription.categories.contains(category_of(event->record))) give(delivery, event);
  }
  for (const auto category : {EventCategory::function, EventCategory::extension}) {
    const auto& loss = lost[static_cast<std::size_t>(category)];
    if (loss.records == 0 || !subscription.categories.contains(category)) continue;
    delivery.count_dropped(loss.records, loss.bytes);
  }
}

void Telemetry::close_subscriptions() {
  std::vector<SharedEvent> forgotten;
  const std::lock_guard lock(mutex_);
  open_.store(false, std::memory_order_release);
  forgotten.swap(kept_);
}

// ---- Events.

// A line is text already, and its length is what the subscriber's limits are about; the text of any
// other event is made when nobody waits for it.
void Telemetry::give(TelemetryDelivery& delivery, const SharedEvent& event) {
  if (!std::holds_alternative<PrintedLine>(event->record)) return delivery.give(event);
  for (auto& text : json_texts(*event, delivery.subscription().schema)) {
    delivery.give(std::move(text));
  }
}

// Keeps it, if subscribers may still come, and says to how many it must be told: whoever subscribes
// later finds it among what was kept.
std::size_t Telemetry::keep(const SharedEvent& event) {
  const std::lock_guard lock(mutex_);
  const auto subscribers = subscriber_count_.load(std::memory_order_relaxed);
  if (!open()) return subscribers;
  if (const auto* printed = std::get_if<PrintedLine>(&event->record)) {
    const auto cost = printed->line.size() + sizeof(TelemetryEvent);
    if (kept_line_bytes_ + cost > kMaxReplayBytes) {
      auto& loss = not_kept_[static_cast<std::size_t>(printed->writer)];
      ++loss.records;
      loss.bytes += printed->line.size();
      return subscribers;
    }
    kept_line_bytes_ += cost;
  }
  kept_.push_back(event);
  return subscribers;
}

void Telemetry::record(TelemetryRecord record) {
  auto subscribers = subscriber_count_.load(std::memory_order_acquire);
  const bool keeping = open();
  if (!keeping && subscribers == 0) return;
  const auto event =
      std::make_shared<const TelemetryEvent>(TelemetryEvent{clock_.wall_now(), std::move(record)});
  if (keeping) subscribers = keep(event);
  const auto category = category_of(event->record);
  for (std::size_t i = 0; i < subscribers; ++i) {
    auto& delivery = *subscribers_[i].delivery;
    if (delivery.subscription().categories.contains(category)) give(delivery, event);
  }
}

LineTap Telemetry::line_tap() {
  return [this](EventCategory writer, std::string_view line) {
    if (!open() && subscriber_count_.load(std::memory_order_acquire) == 0) return;
    const bool application = writer == EventCategory::function;
    record(PrintedLine{.writer = writer,
                       .line = std::string(line),
                       .format = application ? function_format_ : LogFormat::text});
  };
}

// ---- All deliveries at once.

void Telemetry::pause() {
  for_each_delivery([](TelemetryDelivery& delivery) { delivery.pause(); });
}

void Telemetry::resume() {
  for_each_delivery([](TelemetryDelivery& delivery) { delivery.resume(); });
}

void Telemetry::hurry() {
  for_each_delivery([](TelemetryDelivery& delivery) { delivery.hurry(); });
}

bool Telemetry::flush(TimePoint deadline,
                      const std::function<bool(const std::string& extension)>& awaited) {
  hurry();
  bool all = true;
  const auto count = subscriber_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [extension, delivery] = subscribers_[i];
    if (!awaited || awaited(extension)) all = delivery->await_empty(deadline) && all;
  }
  return all;
}

DeliveryCounts Telemetry::counts() const {
  DeliveryCounts sum;
  for_each_delivery([&sum](const TelemetryDelivery& delivery) {
    const auto counts = delivery.counts();
    sum.delivered += counts.delivered;
    sum.dropped += counts.dropped;
    sum.pending += counts.pending;
    sum.untold += counts.untold;
  });
  return sum;
}

std::vector<Telemetry::Untaken> Telemetry::untaken() const {
  std::vector<Untaken> lacking;
  const auto count = subscriber_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    const auto counts = subscribers_[i].delivery->counts();
    const auto events = counts.pending + counts.untold;
    if (events > 0) lacking.push_back({subscribers_[i].extension, events});
  }
  return lacking;
}

}  // namespace emulator::environment
