// Feeds strangers' bytes to the Telemetry and Logs APIs: the first line of the input is the
// extension's identifier, the rest is the body. What is taken keeps every documented limit.
#include "runtime_api/telemetry_routes.h"
#include "runtime_api/telemetry_subscription.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace runtime_api;

constexpr std::string_view kIdentifier = "01234567-89ab-cdef-0123-456789abcdef";

void check(bool holds) {
  if (!holds) std::abort();
}

tl::expected<void, SubscriptionRefused> take(const std::string&, const Subscription& taken) {
  const auto& destination = taken.destination;
  check(destination.port != 0 && destination.port != kReservedPort);
  check(!taken.categories.empty());
  if (destination.protocol == Destination::Protocol::http) {
    check(destination.path.starts_with('/'));
    // It becomes a part of the request's first line.
    check(destination.path.find_first_of("\r\n ") == std::string::npos);
    check(destination.host.starts_with("sandbox"));
  }
  const auto& buffering = taken.buffering;
  check(buffering.max_items >= kFewestBatchItems && buffering.max_items <= kMostBatchItems);
  check(buffering.max_bytes >= kFewestBatchBytes && buffering.max_bytes <= kMostBatchBytes);
  check(buffering.timeout >= kShortestBatchTimeout && buffering.timeout <= kLongestBatchTimeout);
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto end = std::min(input.find('\n'), input.size());
  const std::string identifier(input.substr(0, end));
  input.remove_prefix(std::min(end + 1, input.size()));
  PostedRequest posted;
  posted.read_body = [input](std::uint64_t max_bytes) {
    return PostedRequest::Body{.bytes = std::string(input.substr(0, max_bytes)),
                               .size_bytes = input.size()};
  };
  // One identifier has several spellings.
  bool known = false;
  const SubscriptionDesk desk{
      .extension_name = [&known](const std::string& asked) -> std::optional<std::string> {
        known = asked == kIdentifier;
        if (known) return "fuzzer";
        return std::nullopt;
      },
      .open = [] { return true; },
      .subscribe = take};
  for (const auto api : {TelemetryApi::telemetry, TelemetryApi::logs}) {
    known = false;
    const auto reply = answer_subscribe(api, identifier, posted, desk);
    check(known || identifier != kIdentifier);
    check(known ? reply.status == 200 || reply.status == 400 || reply.status == 413
                : reply.status == 403);
  }
  return 0;
}
