// What an extension asks of the Telemetry API 2022-07-01 or the Logs API 2020-08-15: which events,
// in which batches, sent where. Read from the request's body, every rule checked.
//
// Pure; any thread. Sources: developer guide, "Lambda Telemetry API reference" and "Lambda Logs
// API" for fields, limits and error types; the emulator that AWS publishes for the words "failed to
// parse JSON", "schema validation error" and "Invalid destination", which clients look for.
#pragma once

#include <tl/expected.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace runtime_api {

enum class TelemetryApi : std::uint8_t { telemetry, logs };

// Which events exist and how they are spelled. The first two are the Logs API's.
enum class TelemetrySchema : std::uint8_t { v2020_08_15, v2021_03_18, v2022_07_01, v2022_12_13 };

// Who wrote an event.
enum class EventCategory : std::uint8_t { platform, function, extension };

// "platform", "function", "extension".
std::string_view name_of(EventCategory category);

// A set of categories.
class EventCategories {
 public:
  void add(EventCategory category) { bits_ |= bit(category); }
  bool contains(EventCategory category) const { return (bits_ & bit(category)) != 0; }
  bool empty() const { return bits_ == 0; }
  bool operator==(const EventCategories&) const = default;

 private:
  static std::uint8_t bit(EventCategory category) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(category));
  }
  std::uint8_t bits_ = 0;
};

// Limits of a batch. Source: developer guide; the defaults are its as well.
inline constexpr std::int64_t kFewestBatchItems = 1'000;
inline constexpr std::int64_t kMostBatchItems = 10'000;
inline constexpr std::int64_t kFewestBatchBytes = 262'144;
inline constexpr std::int64_t kMostBatchBytes = 1'048'576;
inline constexpr std::chrono::milliseconds kShortestBatchTimeout{25};
inline constexpr std::chrono::milliseconds kLongestBatchTimeout{30'000};

// The Runtime API's own, on Lambda. Source: developer guide.
inline constexpr std::uint16_t kReservedPort = 9001;

// The largest body of a subscription. Source: the emulator that AWS publishes.
inline constexpr std::size_t kMaxSubscriptionBytes = std::size_t{1} << 20;

// A batch goes out as soon as one of these is reached.
struct Buffering {
  std::int64_t max_items = kMostBatchItems;
  std::int64_t max_bytes = kFewestBatchBytes;
  std::chrono::milliseconds timeout{1'000};
  bool operator==(const Buffering&) const = default;
};

// A listener inside the environment.
struct Destination {
  enum class Protocol : std::uint8_t { http, tcp };
  enum class Method : std::uint8_t { post, put };
  Protocol protocol = Protocol::http;
  std::uint16_t port = 0;
  std::string host{};  // HTTP only: as the extension spelled it
  std::string path;  // HTTP only: with its query{}; never empty
  Method method = Method::post;
  bool operator==(const Destination&) const = default;
};

struct Subscription {
  TelemetryApi api = TelemetryApi::telemetry;
  TelemetrySchema schema = TelemetrySchema::v2022_12_13;
  EventCategories categories{};
  Destination destination{};
  Buffering buffering{};
  bool operator==(const Subscription&) const = default;
};

// What is wrong with a subscription, in a sentence for the extension's author.
struct SubscriptionError {
  std::string message{};
};

// Members that neither API knows are ignored, as are those that only the other one has. A category
// that is named twice counts once.
tl::expected<Subscription, SubscriptionError> parse_subscription(TelemetryApi api,
                                                                 std::string_view body);

}  // namespace runtime_api
