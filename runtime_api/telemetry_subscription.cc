#include "runtime_api/telemetry_subscription.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

namespace runtime_api {
namespace {

using Json = nlohmann::json;
template <typename T>
using Checked = tl::expected<T, SubscriptionError>;

// Of what the extension wrote, at most this much is shown back.
constexpr std::size_t kShownBytes = 100;

tl::unexpected<SubscriptionError> broken_rule(const std::string& rule) {
  return tl::unexpected(SubscriptionError{"schema validation error: " + rule});
}

tl::unexpected<SubscriptionError> bad_destination(const std::string& why) {
  return tl::unexpected(SubscriptionError{"Invalid destination: " + why});
}

std::string shown(const Json& value) {
  auto text = value.is_string() ? value.get_ref<const std::string&>()
                                : value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kShownBytes) text = text.substr(0, kShownBytes) + "...";
  return "'" + text + "'";
}

// The member's text; nothing where it is absent. What is no text matches no allowed word.
std::optional<std::string> text_of(const Json& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end()) return std::nullopt;
  return member->is_string() ? member->get<std::string>() : std::string();
}

Checked<TelemetrySchema> read_schema(TelemetryApi api, const Json& json) {
  const auto version = text_of(json, "schemaVersion");
  if (api == TelemetryApi::logs) {
    if (!version || *version == "2020-08-15") return TelemetrySchema::v2020_08_15;
    if (*version == "2021-03-18") return TelemetrySchema::v2021_03_18;
    return broken_rule("schemaVersion is 2020-08-15 or 2021-03-18, not " +
                       shown(json["schemaVersion"]));
  }
  if (!version) return broken_rule("schemaVersion is missing; write 2022-12-13");
  if (*version == "2022-07-01") return TelemetrySchema::v2022_07_01;
  if (*version == "2022-12-13") return TelemetrySchema::v2022_12_13;
  return broken_rule("schemaVersion is 2022-07-01 or 2022-12-13, not " +
                     shown(json["schemaVersion"]));
}

std::optional<EventCategory> category_named(const Json& name) {
  for (const auto category :
       {EventCategory::platform, EventCategory::function, EventCategory::extension}) {
    if (name.is_string() && name.get_ref<const std::string&>() == name_of(category)) {
      return category;
    }
  }
  return std::nullopt;
}

Checked<EventCategories> read_categories(const Json& json) {
  const auto types = json.find("types");
  if (types == json.end() || !types->is_array() || types->empty()) {
    return broken_rule("types is a list of at least one of platform, function and extension");
  }
  EventCategories categories;
  for (const auto& name : *types) {
    const auto category = category_named(name);
    if (!category) {
      return broken_rule("types has platform, function and extension, not " + shown(name));
    }
    categories.add(*category);
  }
  return categories;
}

Checked<std::uint16_t> checked_port(std::int64_t port) {
  if (port < 1 || port > std::numeric_limits<std::uint16_t>::max()) {
    return bad_destination("a port is a number from 1 to 65535");
  }
  if (port == kReservedPort) {
    return bad_destination("port 9001 is the Runtime API's; listen on another");
  }
  return static_cast<std::uint16_t>(port);
}

// A request line is made of it, so nothing in it may end that line or stand for something else.
bool is_request_target(std::string_view path) {
  for (const char c : path) {
    if (c <= ' ' || c > '~' || c == '#') return false;
  }
  return true;
}

Checked<Destination> read_uri(std::string_view uri) {
  constexpr std::string_view kScheme = "http://";
  constexpr std::int64_t kDefaultPort = 80;
  if (!uri.starts_with(kScheme)) {
    return bad_destination("URI is http://sandbox.localdomain:PORT/PATH");
  }
  uri.remove_prefix(kScheme.size());
  const auto path_at = std::min(uri.find_first_of("/?"), uri.size());
  const auto authority = uri.substr(0, path_at);
  const auto path = uri.substr(path_at);
  const auto colon = authority.find(':');
  Destination destination;
  destination.host = authority.substr(0, colon);
  if (destination.host != "sandbox.localdomain" && destination.host != "sandbox") {
    return bad_destination("the host of URI is sandbox.localdomain");
  }
  std::int64_t number = kDefaultPort;
  if (colon != std::string_view::npos) {
    const auto text = authority.substr(colon + 1);
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) number = 0;
  }
  const auto port = checked_port(number);
  if (!port) return tl::unexpected(port.error());
  if (!is_request_target(path)) {
    return bad_destination("the path of URI has characters that a URI must encode");
  }
  destination.port = *port;
  destination.path = path.starts_with('/') ? std::string(path) : "/" + std::string(path);
  return destination;
}

// What only the Logs API lets an extension choose.
Checked<void> read_logs_destination(const Json& json, Destination& destination) {
  if (const auto method = text_of(json, "method")) {
    if (*method != "POST" && *method != "PUT") {
      return bad_destination("method is POST or PUT, not " + shown(json["method"]));
    }
    if (*method == "PUT") destination.method = Destination::Method::put;
  }
  if (const auto encoding = text_of(json, "encoding"); encoding && *encoding != "JSON") {
    return bad_destination("encoding is JSON, not " + shown(json["encoding"]));
  }
  return {};
}

Checked<Destination> read_destination(TelemetryApi api, const Json& json) {
  const auto member = json.find("destination");
  if (member == json.end() || !member->is_object()) {
    return broken_rule("destination is missing; name a protocol with a URI or a port");
  }
  const auto protocol = text_of(*member, "protocol");
  Checked<Destination> destination;
  if (protocol == "HTTP") {
    const auto uri = text_of(*member, "URI");
    if (!uri) return bad_destination("HTTP wants a URI: http://sandbox.localdomain:PORT/PATH");
    destination = read_uri(*uri);
  } else if (protocol == "TCP") {
    const auto written = member->find("port");
    if (written == member->end() || !written->is_number_integer()) {
      return bad_destination("TCP wants a port, a number from 1 to 65535");
    }
    const auto port = checked_port(written->get<std::int64_t>());
    if (!port) return tl::unexpected(port.error());
    destination->protocol = Destination::Protocol::tcp;
    destination->port = *port;
  } else {
    return bad_destination("protocol is HTTP or TCP");
  }
  if (!destination || api == TelemetryApi::telemetry) return destination;
  if (const auto read = read_logs_destination(*member, *destination); !read) {
    return tl::unexpected(read.error());
  }
  return destination;
}

Checked<void> read_number(const Json& buffering,
                          const char* key,
                          std::int64_t least,
                          std::int64_t most,
                          std::int64_t& into) {
  const auto member = buffering.find(key);
  if (member == buffering.end()) return {};
  // Beyond 2^63 the library keeps a number without sign, which would come out negative.
  const bool fits = member->is_number_integer() &&
                    (!member->is_number_unsigned() ||
                     member->get<std::uint64_t>() <= static_cast<std::uint64_t>(most));
  if (fits) into = member->get<std::int64_t>();
  if (fits && into >= least && into <= most) return {};
  return broken_rule(std::string("buffering.") + key + " is a number from " +
                     std::to_string(least) + " to " + std::to_string(most) + ", not " +
                     shown(*member));
}

Checked<Buffering> read_buffering(const Json& json) {
  Buffering buffering;
  const auto member = json.find("buffering");
  if (member == json.end() || member->is_null()) return buffering;
  if (!member->is_object()) {
    return broken_rule("buffering is an object with maxItems, maxBytes and timeoutMs");
  }
  auto timeout_ms = static_cast<std::int64_t>(buffering.timeout.count());
  if (auto read =
          read_number(*member, "maxItems", kFewestBatchItems, kMostBatchItems, buffering.max_items);
      !read) {
    return tl::unexpected(std::move(read.error()));
  }
  if (auto read =
          read_number(*member, "maxBytes", kFewestBatchBytes, kMostBatchBytes, buffering.max_bytes);
      !read) {
    return tl::unexpected(std::move(read.error()));
  }
  if (auto read = read_number(*member,
                              "timeoutMs",
                              kShortestBatchTimeout.count(),
                              kLongestBatchTimeout.count(),
                              timeout_ms);
      !read) {
    return tl::unexpected(std::move(read.error()));
  }
  buffering.timeout = std::chrono::milliseconds{timeout_ms};
  return buffering;
}

Checked<Subscription> read(TelemetryApi api, const Json& json) {
  if (!json.is_object()) return broken_rule("a subscription is a JSON object");
  const auto schema = read_schema(api, json);
  if (!schema) return tl::unexpected(schema.error());
  const auto categories = read_categories(json);
  if (!categories) return tl::unexpected(categories.error());
  auto destination = read_destination(api, json);
  if (!destination) return tl::unexpected(std::move(destination.error()));
  const auto buffering = read_buffering(json);
  if (!buffering) return tl::unexpected(buffering.error());
  return Subscription{.api = api,
                      .schema = *schema,
                      .categories = *categories,
                      .destination = std::move(*destination),
                      .buffering = *buffering};
}

// A text of nothing but brackets costs a value for each. Our choice: well above the three levels
// that a subscription has.
constexpr int kDeepestNesting = 32;

}  // namespace

std::string_view name_of(EventCategory category) {
  constexpr std::array<std::string_view, 3> kNames = {"platform", "function", "extension"};
  return kNames.at(static_cast<std::size_t>(category));
}

tl::expected<Subscription, SubscriptionError> parse_subscription(TelemetryApi api,
                                                                 std::string_view body) {
  bool too_deep = false;
  const auto shallow = [&too_deep](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kDeepestNesting;
    return depth <= kDeepestNesting;
  };
  try {
    const auto json = Json::parse(body, shallow);
    if (too_deep) return broken_rule("a subscription does not nest that deep");
    return read(api, json);
  } catch (const Json::exception& error) {
    return tl::unexpected(SubscriptionError{std::string("failed to parse JSON: ") + error.what()});
  }
}

}  // namespace runtime_api
